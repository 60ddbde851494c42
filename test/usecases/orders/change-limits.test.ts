import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { changeLimits } from "../../../lib/usecases/orders/change-limits.ts";
import { type LimitOrder, planLimits } from "../../../lib/usecases/orders/plan-limits.ts";
import { jobDependencies } from "../../support/job-dependencies.ts";
import { virtualAccount } from "../../support/virtual/claims.ts";
import { crashing } from "../../support/virtual/crashes.ts";
import { fill, leftBehind, snapshot } from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  NO_JETSTREAM,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/** Limits are changed in the claims in force and nothing else, proved, and refused with all reasons. */

const MIB = 2 ** 20;
const OTHER = virtualAccount("OTHER");
type Order = Partial<LimitOrder>;
const orderOf = (changes: Order = {}): LimitOrder => ({
  account: APP.id,
  action: "limits",
  request: {},
  force: false,
  ...changes,
});
const change = (world: VirtualWorld, order: Order) => changeLimits(world.deps(), orderOf(order));
const limitsIn = ({ machines }: VirtualWorld) => machines.stored(APP.id)?.document.claims.nats["limits"];

function newWorld(settings: WorldSettings = {}) {
  const world = virtualWorld({ servers: 3, ...settings });
  fill(world, { replicas: 3 });
  return world;
}
const without = (settings: WorldSettings = {}) =>
  virtualWorld({ servers: 3, accounts: [{ ...APP, limits: NO_JETSTREAM }], ...settings });

describe("limits", () => {
  test("are changed, and no other claim", async () => {
    const world = newWorld({ signWith: KEYS.signing });
    const before = world.machines.stored(APP.id)?.document.claims;
    const done = await change(world, { request: { memory: 200 * MIB, streams: 50 } });
    expect(done).toMatchObject({ outcome: "pushed", pushed: { servers: ["n1", "n2", "n3"] } });
    expect(limitsIn(world)).toEqual({ ...WITH_JETSTREAM, mem_storage: 200 * MIB, streams: 50 });
    const after = world.machines.stored(APP.id)?.document.claims;
    expect({ exp: after?.exp, name: after?.name, sub: after?.sub }).toEqual({
      exp: before?.exp,
      name: before?.name,
      sub: before?.sub,
    });
    expect(leftBehind(world)).toEqual([]);
  });

  test("that are already set are not pushed", async () => {
    const world = newWorld();
    expect(await change(world, { request: { storage: -1 } })).toMatchObject({ outcome: "pushed" });
    expect(world.machines.pushes).toEqual([]);
  });

  test.each<[string, WorldSettings, Order, RegExp]>([
    ["below current usage", {}, { request: { streams: 1 } }, /streams would be 1, but the number of streams is 2/],
    [
      "beyond what the servers have",
      { servers: ["n1", "n2", "n3"].map((name) => ({ name, room: 100 * MIB })) },
      { request: { memory: 400 * MIB } },
      /400 MiB of memory can't be reserved/,
    ],
    [
      "beyond what other accounts leave",
      {
        servers: ["n1", "n2", "n3"].map((name) => ({ name, room: 100 * MIB })),
        accounts: [APP, { ...OTHER, limits: { ...WITH_JETSTREAM, mem_storage: 200 * MIB } }],
      },
      { request: { memory: 150 * MIB } },
      /of which other accounts' limits promise 200 MiB/,
    ],
  ])("%s are refused unless forced", async (_what, settings, order, why) => {
    const world = newWorld(settings);
    await expect(change(world, order)).rejects.toMatchObject({
      code: "limits.refused",
      message: expect.stringMatching(why),
    });
    expect(world.machines.pushes).toEqual([]);
    expect(world.journal.entries).toEqual([]);
    expect(await change(world, { ...order, force: true })).toMatchObject({ outcome: "pushed" });
  });

  test.each<[string, () => VirtualWorld, Order, RegExp]>([
    ["for an account without JetStream", () => without(), { request: { storage: 1 } }, /has no JetStream; enable it/],
    [
      "given to an account that has it",
      () => newWorld(),
      { action: "enable", request: { storage: 1 } },
      /already has JetStream/,
    ],
    [
      "that remove JetStream",
      () => newWorld(),
      { request: { memory: 0, storage: 0 } },
      /remove the account's JetStream/,
    ],
    [
      "without a size",
      () => without(),
      { action: "enable", request: { streams: 3 } },
      /would have no JetStream; give --memory or --storage/,
    ],
    [
      "of a tier beside flat ones",
      () => newWorld(),
      { request: { tier: "R1", storage: 1 } },
      /the account has flat limits/,
    ],
    [
      "that a standalone server can't reserve",
      () => newWorld({ servers: [{ name: "n1", room: 100 * MIB }] }),
      { request: { memory: 300 * MIB } },
      /300 MiB of memory can't be reserved/,
    ],
    [
      "that prevent servers from starting",
      () => without({ accounts: [{ ...KEYS.system, limits: NO_JETSTREAM }] }),
      { account: KEYS.system.id, action: "enable", request: { storage: 1 } },
      /JetStream to the system account/,
    ],
  ])("%s are refused, forced or not", async (_what, open, order, why) => {
    const world = open();
    await expect(change(world, { ...order, force: true })).rejects.toMatchObject({
      code: "limits.refused",
      message: expect.stringMatching(why),
    });
    expect(world.machines.pushes).toEqual([]);
  });

  test("of a deleted account are refused, and of an unknown one", async () => {
    const world = newWorld();
    world.machines.deleteAccount(APP.id);
    await expect(change(world, { request: { streams: 9 } })).rejects.toMatchObject({
      code: "account.deleted",
    });
    const order = { account: OTHER.id, request: { streams: 9 } };
    await expect(change(world, order)).rejects.toMatchObject({ code: "account.no_claims" });
  });

  test("are refused if the mode only looks", async () => {
    const world = newWorld({ mode: "look" });
    await expect(change(world, { request: { streams: 9 } })).rejects.toMatchObject({ code: "mode.forbids" });
    expect(world.machines.pushes).toEqual([]);
  });

  test("may remove from the system account what prevents servers from starting", async () => {
    const world = without({ accounts: [{ ...KEYS.system, limits: WITH_JETSTREAM }] });
    const order = { account: KEYS.system.id, request: { memory: 0, storage: 0 } };
    expect(await change(world, order)).toMatchObject({ outcome: "pushed" });
  });

  test("that changed between the plan and the job are checked again", async () => {
    const world = newWorld();
    const deps = world.deps();
    const { acquire } = world.journal;
    const leases = {
      ...world.journal,
      acquire: async (...asked: Parameters<typeof acquire>) => {
        world.machines.streamsOf(APP.id).clear();
        for (let index = 0; index < 9; index++) world.machines.addStream(APP.id, { name: `S${index}` });
        return acquire(...asked);
      },
    };
    const context = { ...(await deps.context()), leases };
    const end = changeLimits(jobDependencies(context), orderOf({ request: { streams: 5 } }));
    await expect(end).rejects.toMatchObject({ code: "limits.refused" });
    expect(world.machines.pushes).toEqual([]);
  });
});

describe("JetStream for an account", () => {
  const enable = { action: "enable", request: { memory: MIB, storage: 10 * MIB } } as const;

  test("is awaited on every server", async () => {
    const world = without();
    world.machines.timing.jetstream = 20_000;
    expect(await change(world, enable)).toMatchObject({ outcome: "pushed", verdict: { health: "healthy" } });
    expect(world.machines.servers.map(({ accounts }) => accounts.get(APP.id)?.jetstream)).toEqual([true, true, true]);
  });

  test("that a server does not enable is reported", async () => {
    const world = without();
    world.faults.withoutJetStream.add("n2");
    await expect(change(world, enable)).rejects.toMatchObject({
      code: "push.not_proved",
      message: expect.stringMatching(/JetStream did not apply them within 30 s: n2 did not enable JetStream/),
    });
  });
});

describe("from flat limits to tiers", () => {
  const toTiers = { request: { toTiers: ["R1", "R3"] } } as const;

  test("streams are moved into their tiers, otherwise unchanged", async () => {
    const world = newWorld();
    const before = snapshot(world);
    const done = await change(world, toTiers);
    expect(done).toMatchObject({ outcome: "pushed", verdict: { health: "healthy", findings: [] } });
    expect([...world.machines.streamsOf(APP.id).values()].map(({ tier }) => tier)).toEqual(["R3", "R3"]);
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test.each<[string, (world: VirtualWorld) => void, WorldSettings, RegExp]>([
    [
      "without the right to move them",
      ({ faults }) => faults.denied.add("$JS.API.UPDATE.STREAM.ORDERS"),
      {},
      /Relight would move them into their tiers at once, but a user signed with the account's signingKey may not request/,
    ],
    [
      "in a mode that may not heal",
      () => undefined,
      { mode: "renew" },
      /but its mode does not allow it: Relight only renews/,
    ],
    ["without the account's key", () => undefined, { hasAccountKeys: false }, /signingKey is not configured/],
    [
      "while a stream has no leader",
      ({ machines }) => machines.streamsOf(APP.id).get("ORDERS")?.group.stepDown(),
      {},
      /stream ORDERS: it has no leader/,
    ],
  ])("%s it is refused, except with a restart to follow", async (_what, prepare, settings, why) => {
    const world = newWorld(settings);
    prepare(world);
    world.machines.timing.stepDown = 3_600_000;
    await expect(change(world, toTiers)).rejects.toMatchObject({ message: expect.stringMatching(why) });
    expect(world.machines.pushes).toEqual([]);
    const plan = await planLimits(world.newContext(), orderOf({ ...toTiers, restartFollows: true }));
    expect({ refusals: plan.refusals, moves: plan.movesStreams }).toEqual({ refusals: [], moves: false });
  });

  test("with a restart to follow, streams are not moved, and the result says so", async () => {
    const world = newWorld();
    const done = await change(world, { ...toTiers, restartFollows: true });
    expect(done.why).toMatch(/^restart the servers now/);
    expect(done.verdict.findings.map(({ code }) => code)).toContain("limit.outside_tiers");
    expect(await world.run("heal")).toMatchObject({
      outcome: "healed",
      rungs: [{ rung: "enter-tiers", result: "helped" }],
    });
  });

  test("a change that crashes at any write is finished by a heal, each stream as before", async () => {
    const first = newWorld();
    const whole = crashing(first.newContext());
    await changeLimits(jobDependencies(whole.context), orderOf(toTiers));
    for (let last = 1; last <= whole.writes(); last++) {
      const world = newWorld();
      const before = snapshot(world);
      const dying = crashing(world.newContext(), last);
      await expect(changeLimits(jobDependencies(dying.context), orderOf(toTiers))).rejects.toThrow("no more");
      world.advance(60_000);
      const done = await world.run("heal");
      expect({ last, verdict: done.verdict.health, left: leftBehind(world) }).toEqual({
        last,
        verdict: "healthy",
        left: [],
      });
      expect(snapshot(world)).toEqual(before);
    }
  });
});

test("claims that expire soon keep their expiry", async () => {
  const exp = toSeconds(virtualWorld().now()) + 86_400;
  const world = newWorld({ accounts: [{ ...APP, exp }] });
  await change(world, { request: { streams: 9 } });
  expect(world.machines.stored(APP.id)?.document.claims.exp).toBe(exp);
});
