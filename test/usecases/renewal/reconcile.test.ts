import { describe, expect, test } from "@jest/globals";
import type { OnDifference, SourceAccount } from "../../../lib/domain/claims/claims-source.ts";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { ClaimsSource } from "../../../lib/ports/source.ts";
import { virtualKey } from "../../support/virtual/keys.ts";
import { expire, fill, leftBehind } from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/** What happens if the source of truth and the cluster disagree: what the policy says, through the gate. */

const DAY = 86_400;
type Says = (world: VirtualWorld) => SourceAccount;

function sourceOf(sourced: SourceAccount | RelightError, onDifference: OnDifference) {
  const claims: ClaimsSource = {
    name: "folder:jwts",
    accounts: async function* () {},
    lookup: async () => {
      if (sourced instanceof RelightError) throw sourced;
      return sourced;
    },
  };
  return { source: { claims, onDifference } };
}
const found =
  (changes: Parameters<VirtualWorld["issue"]>[1], key = KEYS.operator): Says =>
  (world) => {
    const token = world.issue(APP, changes, key);
    const { document, signatureValid } = world.context.codec.decode(token);
    return { state: "found", claims: { document, signatureValid }, token, place: "APP.jwt" };
  };
const MORE = { ...WITH_JETSTREAM, mem_storage: 2 ** 27 };
const LESS = { ...WITH_JETSTREAM, mem_storage: 2 ** 25 };
const end = ({ world }: { world: VirtualWorld }) => toSeconds(world.now()) + 120 * DAY;

async function newWorld(settings: WorldSettings = {}): Promise<VirtualWorld> {
  const world = virtualWorld({ servers: 3, ...settings });
  fill(world, { replicas: 3 });
  await world.run("verify");
  world.advance(60_000);
  return world;
}
const limitsOf = ({ machines }: VirtualWorld) =>
  machines.server("n1").accounts.get(APP.id)?.jwt.document.claims.nats["limits"];
const steps = (rungs: readonly { readonly rung: string; readonly result: string }[]) =>
  rungs.map(({ rung, result }) => `${rung} ${result}`);

describe("a policy to push", () => {
  test("pushes the source's own JWT if it is newer", async () => {
    const world = await newWorld();
    const sourced = found({ exp: end({ world }), limits: MORE, jti: "SOURCED" })(world);
    const done = await world.run("remediate", {}, sourceOf(sourced, "push"));
    expect(done).toMatchObject({ outcome: "healed", pushed: { jti: "SOURCED" } });
    expect(steps(done.rungs)).toEqual(["reconcile helped"]);
    expect(limitsOf(world)).toMatchObject({ mem_storage: MORE.mem_storage });
    expect(leftBehind(world)).toEqual([]);
    expect(await world.run("remediate", {}, sourceOf(sourced, "push"))).toMatchObject({
      outcome: "healthy",
      rungs: [],
    });
  });

  test("signs its claims again if its JWT is older than the one in force, with no earlier expiry", async () => {
    const world = await newWorld();
    const iat = toSeconds(world.now()) - 30 * DAY;
    const sourced = found({ iat, exp: toSeconds(world.now()) + DAY, limits: MORE, jti: "OLD" })(world);
    const before = world.machines.stored(APP.id)?.document.claims.exp;
    const done = await world.run("remediate", {}, sourceOf(sourced, "push"));
    expect(done.pushed?.jti).not.toBe("OLD");
    expect(limitsOf(world)).toMatchObject({ mem_storage: MORE.mem_storage });
    expect(world.machines.stored(APP.id)?.document.claims.exp).toBe(before);
  });

  test("renews its claims if they have expired", async () => {
    const world = await newWorld();
    const now = toSeconds(world.now());
    const sourced = found({ iat: now - 30 * DAY, exp: now - DAY, limits: MORE })(world);
    expect((await world.run("remediate", {}, sourceOf(sourced, "push"))).rungs).toMatchObject([
      { rung: "reconcile", result: "helped" },
    ]);
    expect(Number(world.machines.stored(APP.id)?.document.claims.exp)).toBeGreaterThan(now + 80 * DAY);
  });

  test("restores an account that the cluster lacks", async () => {
    const world = virtualWorld({ servers: 3, accounts: [] });
    const sourced = found({ jti: "SOURCED" })(world);
    const done = await world.run("remediate", { account: APP.id }, sourceOf(sourced, "push"));
    expect(done).toMatchObject({ outcome: "healed", pushed: { jti: "SOURCED" } });
  });

  test("pushes nothing if the source's claims are only an older renewal", async () => {
    const world = await newWorld();
    const sourced = found({ iat: toSeconds(world.now()) - 30 * DAY, exp: toSeconds(world.now()) + DAY })(world);
    expect(await world.run("remediate", {}, sourceOf(sourced, "push"))).toMatchObject({
      outcome: "healthy",
      rungs: [],
    });
  });

  test("pages about what the gate refuses, and continues with the rest", async () => {
    const world = await newWorld({ version: "2.10.27" });
    expire(world);
    const sourced = found({ limits: LESS })(world);
    const done = await world.run("remediate", {}, sourceOf(sourced, "push"));
    expect(steps(done.rungs)).toEqual(["reconcile refused", "renew helped", "step-down-leaders helped"]);
    expect(world.incidents[0]).toMatchObject({
      failureClass: "push_refused",
      summary: expect.stringMatching(/the source's claims were not pushed: .*lowers nats\.limits\.mem_storage/),
    });
    expect(limitsOf(world)).toMatchObject({ mem_storage: WITH_JETSTREAM.mem_storage });
  });

  test("stops if the push is not proved", async () => {
    const world = await newWorld();
    world.faults.push.misses.add("n2");
    const sourced = found({ exp: end({ world }), limits: MORE })(world);
    await expect(world.run("remediate", {}, sourceOf(sourced, "push"))).rejects.toMatchObject({
      code: "push.not_proved",
    });
  });

  test.each<[string, Says, string]>([
    ["a JWT that nobody trusts", found({ limits: MORE }, virtualKey("operator", "another")), "source.differs"],
    ["if the source lacks the account", () => ({ state: "absent" }), "source.unknown_account"],
    ["if the source can be read only in part", () => ({ state: "unclear", problem: "x.jwt" }), "source.unavailable"],
  ])("never pushes %s", async (_what, says, code) => {
    const world = await newWorld();
    const done = await world.run("remediate", {}, sourceOf(says(world), "push"));
    expect(done.verdict.findings.map((finding) => finding.code)).toEqual([code]);
    expect({ rungs: done.rungs, pushes: world.machines.pushes }).toEqual({ rungs: [], pushes: [] });
  });

  test("does nothing if the source can't be read", async () => {
    const world = await newWorld();
    const error = new RelightError("source.unavailable", "no such folder");
    const done = await world.run("remediate", {}, sourceOf(error, "push"));
    expect(done.verdict.findings).toMatchObject([{ code: "source.unavailable", health: "unknown" }]);
    expect(world.machines.pushes).toEqual([]);
  });

  test("never undoes a deletion", async () => {
    const world = await newWorld();
    world.machines.deleteAccount(APP.id);
    const sourced = found({ exp: end({ world }) })(world);
    expect((await world.run("remediate", {}, sourceOf(sourced, "push"))).rungs).toEqual([]);
    expect(world.machines.pushes).toEqual([]);
  });

  test("is reported, but not applied, if the mode only looks", async () => {
    const world = await newWorld({ mode: "look" });
    const sourced = found({ exp: end({ world }), limits: MORE })(world);
    const done = await world.run("remediate", {}, sourceOf(sourced, "push"));
    expect(done).toMatchObject({
      outcome: "looked",
      would: [expect.stringMatching(/^push the difference/), expect.anything()],
    });
    expect(world.machines.pushes).toEqual([]);
  });

  test("does nothing in verify, heal and renew jobs", async () => {
    const world = await newWorld();
    const sourced = found({ exp: end({ world }), limits: MORE })(world);
    for (const action of ["verify", "heal"] as const) await world.run(action, {}, sourceOf(sourced, "push"));
    expect(world.machines.pushes).toEqual([]);
  });
});

describe("a policy to adopt", () => {
  test("accepts what is in force until either side changes", async () => {
    const world = await newWorld();
    const adopting = (sourced: SourceAccount) => world.run("remediate", {}, sourceOf(sourced, "adopt"));
    const first = found({ exp: end({ world }), limits: MORE })(world);
    const done = await adopting(first);
    expect(steps(done.rungs)).toEqual(["reconcile helped"]);
    expect(done.verdict.health).toBe("healthy");
    expect((await adopting(first)).rungs).toEqual([]);
    const second = found({ exp: end({ world }), limits: LESS })(world);
    expect(steps((await adopting(second)).rungs)).toEqual(["reconcile helped"]);
    expect(world.machines.pushes).toEqual([]);
    expect(world.journal.entries.filter(({ kind }) => kind === "source.adopted")).toHaveLength(2);
  });
});

describe("a policy to page", () => {
  test("changes nothing and pages a person", async () => {
    const world = await newWorld();
    const sourced = found({ exp: end({ world }), limits: MORE })(world);
    const done = await world.run("remediate", {}, sourceOf(sourced, "page"));
    expect(done).toMatchObject({ outcome: "escalated", rungs: [], verdict: { health: "degraded" } });
    expect(world.incidents).toMatchObject([{ status: "open", severity: "warning" }]);
    expect(world.machines.pushes).toEqual([]);
  });
});
