import { describe, expect, test } from "@jest/globals";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { survey } from "../../../lib/usecases/reports/survey.ts";
import { UNLIMITED } from "../../support/virtual/claims.ts";
import { fill } from "../../support/virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/** Flat limits become tiers while streams exist, and Relight may not ask the account (nats-server #2971). */

const TIER = { disk_storage: -1, mem_storage: -1, streams: -1, consumer: -1 };
const TIERS = { ...UNLIMITED, tiered_limits: { R1: TIER, R3: TIER } };
const MINUTE = 60_000;

function newWorld(settings: WorldSettings = {}): VirtualWorld {
  const world = virtualWorld({ servers: 3, hasAccountKeys: false, ...settings });
  fill(world, { replicas: 3 });
  return world;
}

/** Somebody pushes tiers. */
function enter(world: VirtualWorld, limits: object = TIERS): void {
  world.machines.force(world.issue(APP, { limits: limits as typeof TIERS }));
  world.advance(MINUTE);
}

/** A context with the account's key. */
const withKey = (): Partial<Context> => ({
  settingsOf: (id) => ({ id, name: APP.name, signingKey: "file:key" }) as never,
  secrets: { read: async () => APP.key.seed },
});

const of = ({ journal }: VirtualWorld, kind: string) => journal.entries.filter((entry) => entry.kind === kind);
async function verify(world: VirtualWorld, changes: Partial<Context> = {}): Promise<readonly string[]> {
  const { verdict } = await world.run("verify", {}, changes);
  world.advance(MINUTE);
  return [verdict.health, ...verdict.findings.map(({ code }) => code)];
}
const UNPROVED = ["unknown", "limit.tiers_unproven"];
const OUTSIDE = ["dead", "limit.outside_tiers"];

describe.each([true, false])("an account that was healthy before: %s", (isSeen) => {
  test("is unknown, whatever is done without its key; a heal says why, and a person is paged", async () => {
    const world = newWorld();
    if (isSeen) expect(await verify(world)).toEqual(["healthy"]);
    enter(world);
    expect(await verify(world)).toEqual(UNPROVED);
    expect(await world.run("heal")).toMatchObject({
      outcome: "unhealed",
      why: expect.stringMatching(/unknown whether the streams count in a tier/),
      rungs: [],
    });
    expect(await verify(world)).toEqual(UNPROVED);
    expect(of(world, "streams.seen")).toHaveLength(isSeen ? 1 : 0);
    await world.run("remediate");
    world.advance(10 * MINUTE);
    await world.run("remediate");
    expect(world.incidents.at(-1)).toMatchObject({
      failureClass: "unknown",
      impact: expect.stringMatching(/^Perhaps servers refuse every message to .*ORDERS/),
      advice: [expect.stringMatching(/signingKey/), expect.anything()],
    });
  });

  test("is renewed nevertheless", async () => {
    const world = newWorld();
    if (isSeen) await verify(world);
    enter(world);
    const before = world.machines.stored(APP.id)?.document.claims.jti;
    expect(await world.run("renew")).toMatchObject({ verdict: { health: "unknown" } });
    expect(world.machines.stored(APP.id)?.document.claims.jti).not.toBe(before);
    expect(await verify(world)).toEqual(UNPROVED);
  });

  test("is seen and healed with its key, and from then on healthy without it", async () => {
    const world = newWorld();
    if (isSeen) await verify(world);
    enter(world);
    expect(await verify(world)).toEqual(UNPROVED);
    expect(await verify(world, withKey())).toEqual(OUTSIDE);
    expect(await verify(world)).toEqual(UNPROVED);
    expect(await world.run("heal", {}, withKey())).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    expect(await verify(world)).toEqual(["healthy"]);
    await world.run("renew");
    world.advance(MINUTE);
    expect(await verify(world)).toEqual(["healthy"]);
    world.machines.addStream(APP.id, { name: "NEW", subjects: ["new"], num_replicas: 3 });
    world.advance(MINUTE);
    await world.run("renew");
    expect(await verify(world)).toEqual(["healthy"]);
  });

  test("is healthy once every server has started again since", async () => {
    const world = newWorld();
    if (isSeen) await verify(world);
    enter(world);
    expect(await verify(world)).toEqual(UNPROVED);
    for (const { name } of world.machines.servers) {
      expect(await verify(world)).toEqual(UNPROVED);
      world.machines.restart(name);
      world.advance(MINUTE);
    }
    expect(await verify(world)).toEqual(["healthy"]);
    expect(await verify(world, withKey())).toEqual(["healthy"]);
  });
});

test("flat limits in between void what was proved", async () => {
  const world = newWorld();
  enter(world);
  await world.run("heal", {}, withKey());
  expect(await verify(world)).toEqual(["healthy"]);
  enter(world, { ...UNLIMITED, ...TIER });
  expect(await verify(world)).toEqual(["healthy"]);
  world.machines.addStream(APP.id, { name: "FLAT", subjects: ["flat"], num_replicas: 3 });
  world.advance(MINUTE);
  expect(await verify(world)).toEqual(["healthy"]);
  enter(world);
  expect(await verify(world)).toEqual(UNPROVED);
  expect(await verify(world, withKey())).toEqual(OUTSIDE);
});

test("an account that was created with tiers is healthy, and stays so", async () => {
  const world = virtualWorld({ servers: 3, hasAccountKeys: false });
  enter(world);
  fill(world, { replicas: 3 });
  expect(await verify(world)).toEqual(["healthy"]);
  await world.run("renew");
  world.advance(MINUTE);
  expect(await verify(world)).toEqual(["healthy"]);
});

test("an entry of an older version proves nothing", async () => {
  const world = newWorld();
  enter(world);
  await world.run("heal", {}, withKey());
  expect(await verify(world)).toEqual(["healthy"]);
  const old = of(world, "streams.seen").at(-1);
  const { tiers: _tiers, ...data } = old?.data ?? {};
  await world.journal.append({ ...(old as NonNullable<typeof old>), at: world.now(), data });
  expect(await verify(world)).toEqual(UNPROVED);
});

test("what else is dead is treated, and does not hide it", async () => {
  const world = virtualWorld({ servers: 1, hasAccountKeys: false });
  fill(world);
  enter(world, { ...UNLIMITED, tiered_limits: { R1: TIER } });
  expect(await verify(world)).toEqual(UNPROVED);
  const orders = world.machines.streamsOf(APP.id).get("ORDERS");
  orders?.group.deaf.add(String(orders.group.leader));
  expect(await verify(world)).toEqual(["dead", "stream.deaf", "limit.tiers_unproven"]);
  expect(await world.run("heal")).toMatchObject({
    outcome: "unhealed",
    rungs: expect.arrayContaining([expect.objectContaining({ rung: "toggle-jetstream", result: "helped" })]),
    verdict: { health: "unknown", findings: [{ code: "limit.tiers_unproven" }] },
  });
});

test("status and plan say the same", async () => {
  const world = newWorld();
  await verify(world);
  enter(world);
  const [row] = await survey(world.newContext(), [APP.id]);
  expect(row?.seen.verdict).toMatchObject({ health: "unknown", findings: [{ code: "limit.tiers_unproven" }] });
  expect(row?.step).toMatchObject({ kind: "stop" });
});
