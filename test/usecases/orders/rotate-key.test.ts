import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { isRetirable, planRotation, type RotationOrder } from "../../../lib/usecases/orders/plan-rotation.ts";
import { type Rotation, rotate } from "../../../lib/usecases/orders/rotate-key.ts";
import { jobDependencies } from "../../support/job-dependencies.ts";
import { virtualAccount } from "../../support/virtual/claims.ts";
import { crashing } from "../../support/virtual/crashes.ts";
import { fill, leftBehind } from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  NO_JETSTREAM,
  type VirtualWorld,
  virtualWorld,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/** Every account is signed by the new key, wave by wave, and the first unhealthy one stops it. */

const [ONE, TWO, THREE] = ["ONE", "TWO", "THREE"].map(virtualAccount) as [typeof APP, typeof APP, typeof APP];
const ACCOUNTS = [APP, ...[ONE, TWO, THREE].map((account) => ({ ...account, limits: NO_JETSTREAM }))];

function newWorld(settings: WorldSettings = {}) {
  const world = virtualWorld({ servers: 3, accounts: ACCOUNTS, signWith: KEYS.signing, ...settings });
  fill(world, { replicas: 3 });
  return world;
}
const progress: string[] = [];
const orderOf = (changes: Partial<RotationOrder> = {}): RotationOrder => ({
  from: KEYS.operator.id,
  to: KEYS.signing.id,
  configured: ACCOUNTS.map(({ id }) => id),
  wave: 2,
  includeSystem: false,
  onProgress: (line) => void progress.push(line),
  ...changes,
});
const issuers = ({ machines }: VirtualWorld) =>
  ACCOUNTS.map(({ id }) => machines.servers.map(({ accounts }) => accounts.get(id)?.jwt.document.claims.iss));
const results = ({ accounts }: Rotation) => accounts.map(({ name, result }) => `${name} ${result}`);
async function rotated(world: VirtualWorld, changes: Partial<RotationOrder> = {}): Promise<Rotation> {
  const order = orderOf(changes);
  return rotate(world.deps(), order, await planRotation(world.newContext(), order));
}

/** JetStream no longer listens for the account at all. */
function deafen({ machines }: VirtualWorld): void {
  for (const stream of machines.streamsOf(APP.id).values())
    for (const group of stream.groups) group.deaf.add(String(group.leader));
}

describe("a rotation", () => {
  test("signs all accounts with the new key; afterwards only the system account uses the old one", async () => {
    const world = newWorld();
    const plan = await planRotation(world.newContext(), orderOf());
    expect(plan.waves.map((wave) => wave.map(({ name }) => name))).toEqual([
      ["ONE", "THREE"],
      ["TWO", "APP"],
    ]);
    expect(plan.leftOut.map(({ name }) => name)).toEqual(["SYS"]);
    expect(plan.problems).toEqual([]);
    progress.length = 0;
    const done = await rotated(world);
    expect(done).toMatchObject({ state: "finished", left: 0, why: "4 accounts now signed with the new key" });
    expect(results(done)).toEqual(["ONE rotated", "THREE rotated", "TWO rotated", "APP rotated"]);
    expect(done.accounts).toMatchObject(done.accounts.map(() => ({ before: "healthy", after: "healthy" })));
    expect(new Set(issuers(world).flat())).toEqual(new Set([KEYS.signing.id]));
    expect(progress).toEqual([
      ...["wave 1 of 2: ONE", "wave 1 of 2: THREE", "wave 1 of 2: checking all of its accounts again"],
      ...["wave 2 of 2: TWO", "wave 2 of 2: APP", "wave 2 of 2: checking all of its accounts again"],
    ]);
    const next = await planRotation(world.newContext(), orderOf());
    expect({ waves: next.waves, retirable: isRetirable(next) }).toEqual({ waves: [], retirable: false });
    expect(leftBehind(world)).toEqual([]);
    const kinds = world.journal.entries.filter(({ account }) => account === "-").map(({ kind }) => kind);
    expect(kinds).toEqual(["rotation.started", ...Array(4).fill("rotation.account"), "rotation.finished"]);
  });

  test("signs the system account last, if requested", async () => {
    const world = newWorld();
    expect(results(await rotated(world, { includeSystem: true })).at(-1)).toBe("SYS rotated");
    expect(isRetirable(await planRotation(world.newContext(), orderOf({ includeSystem: true })))).toBe(true);
  });

  test("skips expired and deleted accounts, and says so", async () => {
    const world = newWorld();
    world.machines.deleteAccount(ONE.id);
    world.machines.force(world.issue(TWO, { exp: toSeconds(world.now()) + 2, limits: NO_JETSTREAM }));
    world.advance(3_000);
    const done = await rotated(world);
    expect(results(done).sort()).toEqual(["APP rotated", "ONE deleted", "THREE rotated", "TWO expired"]);
    expect(done.state).toBe("finished");
  });

  test("stops at an account that can't be signed, and leaves the others", async () => {
    const world = newWorld();
    world.faults.push.misses.add("n2");
    const done = await rotated(world);
    expect(done).toMatchObject({ state: "stopped", left: 3, error: { code: "push.not_proved" } });
    expect(results(done)).toEqual(["ONE failed"]);
    expect(world.journal.entries.findLast(({ kind }) => kind === "rotation.finished")).toMatchObject({
      data: { state: "stopped", left: 3 },
    });
  });

  test("stops at an account that is no longer healthy afterwards", async () => {
    const world = newWorld({ version: "2.10.27" });
    const { resolver } = world.newContext();
    const push: typeof resolver.push = async (token) => {
      const replies = await resolver.push(token);
      // The push closes JetStream's connections.
      if (world.context.codec.decode(token).document.claims.sub === APP.id) deafen(world);
      return replies;
    };
    const order = orderOf({ wave: 1 });
    const plan = await planRotation(world.newContext(), order);
    const done = await rotate(world.deps({ resolver: { ...resolver, push } }), order, plan);
    expect(done.accounts.at(-1)).toMatchObject({
      name: "APP",
      result: "unhealthy",
      before: "healthy",
      after: "dead",
      why: expect.stringMatching(/it was healthy before and is now dead: JetStream does not listen/),
    });
    expect(done.state).toBe("stopped");
  });

  test("stops at the end of a wave if one of its accounts is no longer healthy", async () => {
    const world = newWorld({ version: "2.10.27" });
    const onProgress = (line: string): void => {
      if (line === "wave 2 of 2: checking all of its accounts again") deafen(world);
    };
    expect(await rotated(world, { onProgress })).toMatchObject({
      state: "stopped",
      why: expect.stringMatching(
        /APP was healthy after it was signed with the new key, but is dead at the end of its wave/,
      ),
    });
  });

  test("continues after an account that was already unhealthy", async () => {
    const world = newWorld({ version: "2.10.27" });
    deafen(world);
    const done = await rotated(world);
    expect(done).toMatchObject({ state: "finished" });
    expect(done.accounts.at(-1)).toMatchObject({ result: "rotated", before: "dead", after: "dead" });
  });

  test("stops before the next account on request", async () => {
    const world = newWorld();
    const asked = new AbortController();
    const onProgress = (line: string): void => {
      if (line.includes("THREE")) asked.abort();
    };
    const order = orderOf({ onProgress });
    const plan = await planRotation(world.newContext(), order);
    const done = await rotate(world.deps({ signal: asked.signal }), order, plan);
    expect(done).toMatchObject({ state: "interrupted", left: 2, why: "stopped before TWO, as requested" });
    expect(results(await rotated(world))).toEqual(["TWO rotated", "APP rotated"]);
  });

  test("is refused if nothing may be signed", async () => {
    const world = newWorld({ mode: "look" });
    await expect(rotated(world)).rejects.toMatchObject({ code: "mode.forbids" });
    expect(world.journal.entries.filter(({ account }) => account === "-")).toEqual([]);
  });

  test("that crashes at any write is continued by the next one", async () => {
    const first = newWorld();
    const order = orderOf();
    const whole = crashing(first.newContext());
    await rotate(jobDependencies(whole.context), order, await planRotation(first.newContext(), order));
    for (let last = 1; last <= whole.writes(); last++) {
      const world = newWorld();
      const plan = await planRotation(world.newContext(), order);
      const dying = crashing(world.newContext(), last);
      const died = await rotate(jobDependencies(dying.context), order, plan).catch(() => undefined);
      expect(died?.state).not.toBe("finished");
      world.advance(60_000);
      expect({ last, ...(await rotated(world)) }).toMatchObject({ last, state: "finished" });
      expect(new Set(issuers(world).flat())).toEqual(new Set([KEYS.signing.id]));
      expect({ last, left: leftBehind(world) }).toEqual({ last, left: [] });
    }
  });
});

describe("the plan", () => {
  test("names obstacles to the rotation", async () => {
    const world = newWorld({ signWith: KEYS.operator });
    const { probes } = world.newContext();
    const trust: typeof probes.trust = async () => [
      { server: "n1", operators: [world.operator] },
      { server: "n2", operators: [{ ...world.operator, signingKeys: [] }] },
    ];
    const context = world.newContext({ probes: { ...probes, trust } });
    expect((await planRotation(context, orderOf())).problems).toEqual([
      `n2 does not trust ${KEYS.signing.id}`,
      `operator.signingKey is ${KEYS.operator.id}, not the new key ${KEYS.signing.id}`,
    ]);
  });

  test("puts critical accounts last, and accounts that can't be checked among the unknown", async () => {
    const policies = [{ match: { names: ["ONE"] }, critical: true }];
    const world = newWorld({ policies });
    const { resolver } = world.newContext();
    const running: typeof resolver.running = async (account) => {
      if (account !== TWO.id) return resolver.running(account);
      throw new Error("n1 does not say");
    };
    const broken = { ...resolver, running: async (account: typeof TWO.id) => running(account) };
    await expect(planRotation(world.newContext({ resolver: broken }), orderOf())).rejects.toThrow();
    const plan = await planRotation(world.newContext(), orderOf({ wave: 10 }));
    expect(plan.waves[0]?.map(({ name }) => name)).toEqual(["THREE", "TWO", "APP", "ONE"]);
  });
});
