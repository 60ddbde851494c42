import { describe, expect, test } from "@jest/globals";
import { millis, toSeconds } from "../../../lib/domain/time/time.ts";
import { diffAccounts } from "../../../lib/usecases/reports/diff.ts";
import { blackout } from "../../domain/policies.ts";
import { fill, leftBehind } from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  NO_JETSTREAM,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/**
 * When an account is renewed, with what, and who learns if it is not. Claims have ninety days, the window opens after
 * sixty.
 */

const DAY = 86_400_000;

/** An account that was seen while it was healthy, so many days ago. */
async function worldAfter(days: number, settings: WorldSettings = {}): Promise<VirtualWorld> {
  const world = virtualWorld({ servers: 3, ...settings });
  fill(world, { replicas: 3 });
  await world.run("verify");
  world.advance(days * DAY);
  return world;
}
const inForce = ({ machines }: VirtualWorld) => machines.server("n1").accounts.get(APP.id)?.jwt.document.claims;
const classes = ({ incidents }: VirtualWorld) => incidents.map((it) => `${it.failureClass} ${it.status}`);

describe("a renewal over which somebody pushes", () => {
  /** Renewed, and then pushed again by somebody who has claims from before. */
  async function undone(changes: object): Promise<VirtualWorld> {
    const world = await worldAfter(80);
    const { exp } = inForce(world) ?? {};
    expect(await world.run()).toMatchObject({ outcome: "renewed" });
    world.machines.force(world.issue(APP, { jti: "STALE", exp, limits: WITH_JETSTREAM, ...changes }));
    world.advance(1_000);
    return world;
  }

  const BEFORE = Date.UTC(2030, 0, 1) / 1_000;

  test.each<[string, object, RegExp]>([
    ["the JWT from before it", { iat: BEFORE }, /^an older JWT was pushed over the renewal of 2030-03-22/],
    [
      "one made from an older copy, as nsc edit does",
      { iat: Date.UTC(2030, 2, 22, 1) / 1_000 },
      /^a JWT made from an older copy was pushed over the renewal of 2030-03-22/,
    ],
  ])("%s is told at once, and once", async (_what, changes, message) => {
    const world = await undone(changes);
    const found = { code: "claims.overwritten", message: expect.stringMatching(message) };
    const { verdict } = await world.run("heal");
    expect(verdict).toMatchObject({ health: "degraded", findings: [found] });
    // Pulled before the renewal, the store would have the outdated claims again.
    expect(verdict.findings[0]?.message).toMatch(
      /instead of .* \(exp\); renew .*relight renew APP.*, then .*nsc pull -A/,
    );
    expect(world.incidents.at(-1)).toMatchObject({ command: "relight renew APP" });
    await world.run("heal");
    expect(classes(world)).toEqual(["claims_overwritten open"]);
    const [diff] = await diffAccounts(world.newContext(), [APP.id]);
    expect(diff).toMatchObject({ state: "differs", notes: [expect.stringMatching(message)] });
    expect(await world.run("renew")).toMatchObject({ verdict: { health: "healthy" } });
    expect(classes(world).at(-1)).toBe("claims_overwritten resolved");
  });

  test("is said as a reason where the account is due again", async () => {
    const world = await undone({ iat: BEFORE });
    const done = await world.run();
    const why = expect.stringMatching(/an older JWT was pushed over the renewal of .*nsc pull -A/);
    expect(done).toMatchObject({ outcome: "healed", rungs: [{ rung: "renew", why }] });
  });

  test("a later JWT with the same end is nobody's business", async () => {
    const world = await worldAfter(80);
    await world.run();
    const { exp } = inForce(world) ?? {};
    world.machines.force(world.issue(APP, { jti: "NEWER", exp, iat: Number(toSeconds(world.now())) + 60 }));
    world.advance(1_000);
    expect((await world.run()).verdict.findings.map(({ code }) => code)).not.toContain("claims.overwritten");
  });
});

describe("a renewal", () => {
  test("changes exp, iat, jti and iss, and nothing else", async () => {
    const world = await worldAfter(80, { signWith: KEYS.signing });
    const before = inForce(world);
    const done = await world.run();
    expect(done).toMatchObject({ outcome: "renewed", rungs: [{ rung: "renew", result: "helped" }] });
    const after = inForce(world);
    const now = Math.floor((world.now() - 1) / 1_000);
    expect(after).toMatchObject({
      iss: KEYS.signing.id,
      sub: before?.sub,
      name: before?.name,
      nats: before?.nats,
    });
    expect(Math.abs(Number(after?.exp) - now - 90 * 86_400)).toBeLessThan(60);
    expect(after?.jti).not.toBe(before?.jti);
    expect(done.pushed?.changes.map(({ path }) => path)).toEqual(["jti", "iat", "exp", "iss"]);
    expect(await world.run()).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(leftBehind(world)).toEqual([]);
  });

  test.each<[string, number, WorldSettings, string]>([
    ["is not made before its window", 50, {}, "healthy"],
    ["is made within its window at the latest", 76, {}, "renewed"],
    ["is only made by a person if the policy says so", 80, { policy: { manual: true } }, "healthy"],
    ["waits for the end of a blackout", 61, { policy: { blackouts: [blackout()] } }, "healthy"],
    ["does not wait until the window has closed", 80, { policy: { blackouts: [blackout()] } }, "renewed"],
    ["is made of a critical account whose readings agree", 80, { policy: { critical: true } }, "renewed"],
    [
      "is never made of claims without an end",
      3_000,
      { accounts: [{ ...APP, exp: undefined, limits: WITH_JETSTREAM }] },
      "healthy",
    ],
  ])("%s", async (_what, days, settings, outcome) => {
    const world = await worldAfter(days, settings);
    expect(await world.run()).toMatchObject({ outcome });
    expect(world.machines.pushes).toHaveLength(outcome === "renewed" ? 1 : 0);
  });

  test("comes earlier by the lead of a server's fast clock", async () => {
    const world = await worldAfter(50);
    world.machines.server("n2").skew = millis(28 * DAY);
    expect(await world.run()).toMatchObject({ rungs: [{ rung: "renew", result: "helped" }] });
  });

  test("is not repeated by every job because a server's clock is months ahead", async () => {
    const world = await worldAfter(1);
    world.machines.server("n2").skew = millis(80 * DAY);
    for (let jobs = 0; jobs < 3; jobs++) {
      await world.run();
      world.advance(3_600_000);
    }
    expect(world.machines.pushes.length).toBeLessThanOrEqual(1);
  });

  test("by `heal` only if the claims have expired; by `renew` at once", async () => {
    const world = await worldAfter(80);
    expect(await world.run("heal")).toMatchObject({ outcome: "healthy" });
    expect(world.machines.pushes).toEqual([]);
    expect(await world.run("renew")).toMatchObject({ outcome: "renewed" });
    expect(await world.run("renew")).toMatchObject({ outcome: "renewed" });
    expect(world.machines.pushes).toHaveLength(2);
  });

  test("may shorten lifetimes that others made too long", async () => {
    const far = toSeconds(virtualWorld().now()) + 400 * 86_400;
    const world = await worldAfter(1, { accounts: [{ ...APP, exp: far }] });
    expect(await world.run("renew")).toMatchObject({ outcome: "renewed" });
    expect(Number(inForce(world)?.exp)).toBeLessThan(far);
  });

  test("restores what the resolver deleted since, from the journal", async () => {
    const world = await worldAfter(91);
    for (const { accounts } of world.machines.servers) accounts.delete(APP.id);
    expect(world.machines.stored(APP.id)).toBeUndefined();
    expect(await world.run()).toMatchObject({
      outcome: "healed",
      rungs: [{ rung: "renew", why: "it had expired, and the resolver deleted it" }],
    });
  });

  test("is refused for unknown claims", async () => {
    const world = virtualWorld({ accounts: [] });
    await expect(world.run("renew", { account: APP.id })).rejects.toMatchObject({
      code: "account.no_claims",
    });
    expect(world.incidents.at(-1)).toMatchObject({ failureClass: "renewal_failed" });
  });

  test("is refused without a signing key, and a person is paged before the expiry", async () => {
    const world = await worldAfter(86, { signWith: "none" });
    await expect(world.run()).rejects.toMatchObject({ code: "signer.missing" });
    expect(classes(world)).toEqual(["renewal_failed open"]);
    expect(world.incidents[0]?.also).toEqual([expect.stringMatching(/^its claims expire in 3d 23h, and Relight/)]);
  });

  test.each([
    ["renew", "mode.forbids"],
    ["remediate", undefined],
  ] as const)("ordered as %s changes nothing if the mode only looks", async (action, code) => {
    const world = await worldAfter(80, { mode: "look" });
    const end = world.run(action, { trigger: "manual" });
    if (code !== undefined) await expect(end).rejects.toMatchObject({ code });
    else expect(await end).toMatchObject({ outcome: "looked", would: ["renew (its renewal was due)"] });
    expect(world.machines.pushes).toEqual([]);
  });
});

describe("a critical account", () => {
  const critical = { policy: { critical: true } } as const;

  test.each<[string, (world: VirtualWorld) => void, RegExp]>([
    [
      "whose limits were changed since Relight last knew it",
      (world) => {
        const { machines } = world;
        const left = { exp: toSeconds(world.now()) + 9 * 86_400, limits: { ...WITH_JETSTREAM, conn: 7 } };
        machines.force(world.issue(APP, left));
      },
      /differ from the journal's in nats\.limits\.conn/,
    ],
  ])("%s is not renewed, and a person is paged", async (_what, prepare, why) => {
    const world = await worldAfter(80, critical);
    prepare(world);
    await world.run();
    const page = world.incidents.find(({ failureClass }) => failureClass === "readings_disagree");
    expect(page).toMatchObject({ status: "open", severity: "critical", summary: expect.stringMatching(why) });
    const renewals = world.journal.entries.filter(({ data }) => data["purpose"] === "renewal");
    expect(renewals).toEqual([]);
  });

  test.each<[string, (world: VirtualWorld, token: string) => void]>([
    [
      "a server runs other claims",
      ({ machines, context }, token) => machines.load(machines.server("n3"), context.codec.decode(token)),
    ],
    ["the resolver holds other claims", ({ machines, context }, token) => machines.store(context.codec.decode(token))],
  ])("for which %s is renewed only once they agree again", async (_what, prepare) => {
    const world = await worldAfter(80, critical);
    prepare(world, world.issue(APP, { exp: toSeconds(world.now()) + 9 * 86_400 }));
    expect((await world.run()).rungs).toMatchObject([{ rung: "push-again", result: "helped" }]);
    world.advance(60_000);
    expect((await world.run()).rungs).toMatchObject([{ rung: "renew", result: "helped" }]);
  });

  test("with only one reading is not renewed", async () => {
    const world = virtualWorld({ ...critical });
    const { machines } = world;
    world.advance(80 * DAY);
    for (const { accounts } of machines.servers) accounts.delete(APP.id);
    await world.run();
    expect(world.incidents[0]).toMatchObject({
      failureClass: "readings_disagree",
      summary: expect.stringMatching(/there is only one reading of its claims/),
    });
    expect(machines.pushes).toEqual([]);
    // What this job has seen is no separate reading for the next.
    await world.run();
    expect(machines.pushes).toEqual([]);
  });
});

describe("a coming expiry", () => {
  test("pages at the policy's leads, once each, and is resolved by the renewal", async () => {
    const world = await worldAfter(0, { policy: { manual: true } });
    for (let day = 0; day < 90; day++) {
      world.advance(DAY);
      await world.run();
    }
    expect(classes(world)).toEqual(expect.arrayContaining(["expiry_near open", "expiry_imminent open"]));
    const counts = classes(world).filter((it) => it.startsWith("expiry_"));
    expect(counts.filter((it) => it === "expiry_near open")).toHaveLength(1);
    expect(counts.filter((it) => it === "expiry_imminent open")).toHaveLength(1);
    await world.run("renew", { trigger: "manual" });
    expect(new Set(world.incidents.map(({ key }) => key)).size).toBe(1);
    expect(world.incidents.at(-1)?.status).toBe("resolved");
  });

  test("pages even if the account can't be checked", async () => {
    const world = await worldAfter(88);
    world.faults.isDown = true;
    await expect(world.run()).rejects.toMatchObject({ code: "nats.timeout" });
    expect(classes(world)).toContain("expiry_imminent open");
  });

  test("does not page during a person's own look", async () => {
    const world = await worldAfter(88, { policy: { manual: true } });
    await world.run("verify", { trigger: "manual" });
    expect(world.incidents).toEqual([]);
  });
});

test("an account without JetStream is renewed like any other", async () => {
  const world = virtualWorld({ accounts: [{ ...APP, limits: NO_JETSTREAM }] });
  await world.run("verify");
  world.advance(80 * DAY);
  expect(await world.run()).toMatchObject({ outcome: "renewed" });
});
