import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import type { NewJob } from "../../../lib/ports/jobs.ts";
import { virtualAccount } from "../../support/virtual/claims.ts";
import { virtualKey } from "../../support/virtual/keys.ts";
import { fill } from "../../support/virtual/scenes.ts";
import { APP, KEYS, type VirtualWorld, virtualWorld, WITH_JETSTREAM } from "../../support/virtual/world.ts";

/** A JWT passes the gate, is journaled, pushed, and proved on every server; 200 "jwt updated" proves nothing. */

const DAY = 86_400;

async function newWorld(settings: Parameters<typeof virtualWorld>[0] = {}): Promise<VirtualWorld> {
  const world = virtualWorld({ servers: 3, ...settings });
  fill(world, { replicas: 3 });
  await world.run("verify");
  return world;
}
/** A renewal that an issuer made. */
const renewal = (world: VirtualWorld, changes: Parameters<VirtualWorld["issue"]>[1] = {}): string =>
  world.issue(APP, { exp: toSeconds(world.now()) + 120 * DAY, ...changes });
const push = (world: VirtualWorld, token: string, more: Partial<NewJob> = {}) =>
  world.run("push", { trigger: "manual", token, ...more });
const kinds = ({ journal }: VirtualWorld): readonly string[] =>
  journal.entries.map(({ kind }) => kind).filter((kind) => kind.startsWith("push.") || kind === "gate.refused");
const jtisRunning = ({ machines }: VirtualWorld): readonly (string | undefined)[] =>
  machines.servers.map(({ accounts }) => accounts.get(APP.id)?.jwt.document.claims.jti);

describe("a push", () => {
  test("is journaled before and after, with the servers that proved it", async () => {
    const world = await newWorld();
    const token = renewal(world, { jti: "NEW" });
    const done = await push(world, token);
    expect(done).toMatchObject({
      outcome: "pushed",
      pushed: { jti: "NEW", iss: KEYS.operator.id, servers: ["n1", "n2", "n3"] },
    });
    expect(kinds(world)).toEqual(["push.started", "push.proved"]);
    expect(world.journal.entries.find(({ kind }) => kind === "push.started")).toMatchObject({
      data: { purpose: "delivered", jwt: { jti: "NEW" } },
    });
    expect(jtisRunning(world)).toEqual(["NEW", "NEW", "NEW"]);
  });

  test("is awaited if servers take a while to run it", async () => {
    const world = await newWorld();
    world.faults.push.takes.set("n3", 9_000);
    expect(await push(world, renewal(world))).toMatchObject({ pushed: { servers: ["n1", "n2", "n3"] } });
  });

  test.each<[string, (world: VirtualWorld) => void, string, RegExp]>([
    [
      "that a server took and does not run",
      ({ faults }) => faults.push.misses.add("n2"),
      "push.not_proved",
      /after 10 s it is not in force on n2$/,
    ],
    [
      "that runs too late",
      ({ faults }) => faults.push.takes.set("n2", 11_000),
      "push.not_proved",
      /is not in force on n2$/,
    ],
    [
      "that a server reads otherwise",
      ({ faults }) => faults.push.misread.set("n1", { nats: { limits: { conn: 3 } } }),
      "push.not_proved",
      /n1 reads .*nats\.limits\.conn as 3/,
    ],
    [
      "that a server refuses",
      ({ faults }) => faults.push.refused.set("n1", "the disk is full"),
      "push.rejected",
      /rejected the JWT: n1: the disk is full/,
    ],
    ["whose answer is lost", ({ faults }) => faults.push.unheard.add("n1"), "nats.timeout", /silent: n1/],
  ])("%s is not proved", async (_what, prepare, code, message) => {
    const world = await newWorld();
    prepare(world);
    const token = renewal(world);
    await expect(push(world, token)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(kinds(world)).toEqual(["push.started"]);
    expect(world.incidents.at(-1)).toMatchObject({ status: "open", severity: "critical" });
  });

  test("whose answer was lost, but that is in force, is reported by the next job", async () => {
    const world = await newWorld();
    world.faults.push.unheard.add("n1");
    await expect(push(world, renewal(world, { jti: "NEW" }))).rejects.toMatchObject({ code: "nats.timeout" });
    world.faults.push.unheard.clear();
    expect(await world.run("verify")).toMatchObject({
      outcome: "pushed",
      pushed: { jti: "NEW", servers: ["n1", "n2", "n3"] },
    });
  });

  test("does not fail because of servers that have not loaded the account", async () => {
    const world = await newWorld();
    world.machines.server("n3").accounts.delete(APP.id);
    world.faults.push.misses.add("n3");
    expect(await push(world, renewal(world))).toMatchObject({ pushed: { servers: ["n1", "n2"] } });
  });

  test("is proved in the resolver, too", async () => {
    const world = await newWorld();
    const { resolver } = world.newContext();
    const stale = await resolver.lookup(APP.id);
    const changes = { resolver: { ...resolver, lookup: async () => stale } };
    const order = { trigger: "manual", token: renewal(world) } as const;
    await expect(world.run("push", order, changes)).rejects.toMatchObject({
      code: "push.not_proved",
      message: expect.stringMatching(/is not in force on the resolver$/),
    });
  });
});

describe("the gate", () => {
  test.each<[string, (world: VirtualWorld) => string, RegExp]>([
    [
      "another account's JWT",
      (world) => world.issue(virtualAccount("OTHER"), { exp: toSeconds(world.now()) + 120 * DAY }),
      /it is for account/,
    ],
    [
      "a JWT of another operator",
      (world) => renewal(world, { iss: virtualKey("operator", "another").id }),
      /the signature is not that of its issuer|neither operator/,
    ],
    ["a JWT that has expired", (world) => renewal(world, { exp: toSeconds(world.now()) - 1 }), /it expired/],
    [
      "an older JWT",
      (world) => renewal(world, { iat: toSeconds(world.now()) - 30 * DAY }),
      /it was issued .* before the claims in force/,
    ],
    [
      "an earlier end",
      (world) => renewal(world, { exp: toSeconds(world.now()) + DAY }),
      /it expires in .*, but the claims in force expire in/,
    ],
    [
      "a lower limit",
      (world) => renewal(world, { limits: { ...WITH_JETSTREAM, conn: 10 } }),
      /it lowers nats\.limits\.conn from -1 to 10/,
    ],
    [
      "another claim",
      (world) => renewal(world, { nats: { description: "x" } }),
      /it changes more than a renewal may: nats\.description/,
    ],
    [
      "a JWT that has expired by the fastest server's clock",
      (world) => {
        const server = world.machines.server("n2");
        server.skew = (200 * DAY * 1_000) as never;
        return renewal(world);
      },
      /it has expired by a server's clock/,
    ],
  ])("refuses %s: nothing is pushed, and a person is paged", async (_what, tokenOf, reason) => {
    const world = await newWorld();
    const before = jtisRunning(world);
    const order = push(world, tokenOf(world), { trigger: "webhook" });
    await expect(order).rejects.toMatchObject({
      code: "gate.refused",
      message: expect.stringMatching(reason),
    });
    expect(kinds(world)).toEqual(["gate.refused"]);
    expect(world.machines.pushes).toEqual([]);
    expect(jtisRunning(world)).toEqual(before);
    expect(world.incidents.map(({ failureClass }) => failureClass)).toContain("push_refused");
    expect(world.journal.entries.at(-1)?.kind === "job.finished" || world.incidents.length > 0).toBe(true);
  });

  test("accepts the differences that a person saw, from exactly that JWT", async () => {
    const world = await newWorld();
    const [jti] = jtisRunning(world);
    const token = renewal(world, { nats: { description: "x" } });
    await expect(push(world, token, { acceptedOver: "another" })).rejects.toMatchObject({
      code: "gate.refused",
    });
    expect(await push(world, token, { acceptedOver: String(jti) })).toMatchObject({ outcome: "pushed" });
  });

  test("accepts an earlier expiry that a person allowed", async () => {
    const world = await newWorld();
    const token = renewal(world, { exp: toSeconds(world.now()) + 40 * DAY });
    expect(await push(world, token, { allowed: ["expires_earlier"] })).toMatchObject({ outcome: "pushed" });
  });
});

describe("an issuer's message", () => {
  test("that is repeated, or was overtaken by a renewal, is no fault; a person learns of it", async () => {
    const world = await newWorld();
    const first = renewal(world);
    world.advance(1_000);
    const second = renewal(world, { exp: toSeconds(world.now()) + 130 * DAY });
    await push(world, second);
    const late = { trigger: "webhook" } as const;
    expect(await push(world, second, late)).toMatchObject({
      outcome: "pushed",
      why: "it is already in force",
    });
    expect(await push(world, first, late)).toMatchObject({
      outcome: "pushed",
      why: "a later renewal is in force",
    });
    expect(world.machines.pushes).toHaveLength(1);
    await expect(push(world, second)).rejects.toMatchObject({ code: "gate.refused" });
    await expect(push(world, first)).rejects.toMatchObject({ code: "gate.refused" });
  });

  test("with a forged copy of the JWT in force is refused", async () => {
    const world = await newWorld();
    const token = world.machines.stored(APP.id)?.token ?? "";
    const [header, payload] = token.split(".");
    const forged = `${header}.${payload}.${Buffer.from(new Uint8Array(64)).toString("base64url")}`;
    await expect(push(world, forged, { trigger: "webhook" })).rejects.toMatchObject({ code: "gate.refused" });
  });
});

describe("by mode", () => {
  test("look: nothing is pushed, whoever asks", async () => {
    const world = await newWorld({ mode: "look" });
    await expect(push(world, renewal(world))).rejects.toMatchObject({ code: "mode.forbids" });
    expect(world.incidents).toEqual([]);
    await expect(push(world, renewal(world), { trigger: "webhook" })).rejects.toMatchObject({
      code: "mode.forbids",
    });
    expect(world.incidents).toHaveLength(1);
    expect({ kinds: kinds(world), pushes: world.machines.pushes }).toEqual({ kinds: [], pushes: [] });
  });

  test("a dry run reports what it would push", async () => {
    const world = await newWorld();
    const mode = { mode: "look", because: "it was asked for with --dry-run", dryRun: true } as const;
    const order = { trigger: "manual", token: renewal(world, { jti: "NEW" }) } as const;
    expect(await world.run("push", order, { mode })).toMatchObject({
      outcome: "looked",
      would: ["push NEW"],
    });
    expect(world.machines.pushes).toEqual([]);
  });
});
