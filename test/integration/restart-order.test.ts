import { expect, test } from "@jest/globals";
import type { NatsConnection } from "@nats-io/transport-node";
import { isMetaCurrent, metaLeader } from "../../lab/meta.ts";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { allowRestarts, assertNoPanic } from "../support/zoo.ts";

/** In two of five runs 2.10.20 panics by itself, at the election right after the servers' start. */
const ATTEMPTS = 8;

async function asSystem<T>(world: World, work: (system: NatsConnection) => Promise<T>): Promise<T> {
  const system = await retry("a server to talk to", () => world.connectAs("system"));
  try {
    return await work(system);
  } finally {
    await system.close();
  }
}

/** The state of each stream, and the world: all three servers restarted while the account was expired. */
async function damagedWorld(): Promise<{ readonly world: World; readonly before: object }> {
  const binary = (await serverBinary("2.10.20")).path;
  for (let attempt = 1; ; attempt++) {
    const world = await createWorld({ binary, size: 3 });
    try {
      await fill(world, { replicas: 3, messages: 5 });
      const before = await snapshot(world);
      await expire(world);
      if (attempt === 1) await assertWarned(world);
      await Promise.all(world.servers.map((server) => server.stop()));
      await Promise.all(world.servers.map((server) => server.start()));
      await asSystem(world, (system) =>
        waitFor("the meta group to be whole", () => isMetaCurrent(system, 3), { timeout: 30_000 }),
      );
      await renewByHand(world);
      await assertNoPanic(world);
      return { world, before };
    } catch (error) {
      const panics = await Promise.all(world.servers.map((server) => server.panics()));
      await world[Symbol.asyncDispose]();
      if (attempt === ATTEMPTS || panics.every((text) => text === "")) throw error;
    }
  }
}

/** The danger is reported while there is still time. */
async function assertWarned(world: World): Promise<void> {
  const { json } = await relight(world, "doctor", "--json");
  expect(json.cluster.doNotRestart).toEqual(["APP"]);
  const { defects } = json.cluster.versions[0];
  expect(defects.map(({ issue }: { issue: string }) => issue)).toContain("#5700");
  const people = await relight(world, "doctor");
  expect(people.stdout).toMatch(/2\.10\.20 \(.*\) then panic at each election/);
  const verdict = await relight(world, "verify", "APP", "--json");
  const message = expect.stringMatching(/^do not restart any server: a server with version 2\.10\.20 \(/);
  expect(verdict.json.findings).toContainEqual(expect.objectContaining({ code: "server.restart_panics", message }));
}

test("on nats-server 2.10.20 damaged servers are restarted before the meta leader: no panic, and everything is healed", async () => {
  const { world: made, before } = await damagedWorld();
  await using world = made;
  const damaged = await relight(world, "verify", "APP", "--json");
  const leader = await asSystem(world, metaLeader);
  const advice = `restart the meta leader, now ${leader}, last`;
  expect(damaged.json).toMatchObject({ verdict: "dead" });
  expect(damaged.json.diagnosis).toContainEqual(expect.stringContaining(advice));
  await assertNoPanic(world);

  await using _stop = await allowRestarts(world);
  const healed = await relight(world, "heal", "APP", "--json");
  await assertNoPanic(world);
  expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy" });
  const { entries } = (await relight(world, "journal", "--json")).json;
  const restarted = entries
    .filter(({ kind }: { kind: string }) => kind === "restart.opened")
    .map(({ data }: { data: { server: string } }) => data.server);
  // Two new replicas may be enough for everything.
  expect(restarted.length).toBeGreaterThanOrEqual(2);
  expect(restarted.slice(0, 2)).not.toContain(leader);
  expect(await snapshot(world)).toEqual(before);
  expect(await symptoms(world)).toEqual({ apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" });
  const row = {
    damage: "restarted while expired",
    topology: "cluster of three, streams of three replicas on file",
    version: "2.10.20",
    rungs: rungsUsed(healed),
    result: "all alive, no panic: the meta leader's server last, if at all",
  };
  expect(row).toEqual(await recorded(row));
});
