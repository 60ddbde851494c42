import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { endServer } from "../../lab/restart-server.ts";
import { expire, renewByHand, restartWhileExpired, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { assertZooWorks, configurations, fillZoo } from "../../lab/zoo.ts";
import { isRecorded } from "../support/recoveries.ts";
import { type Run, relight } from "../support/relight.ts";

// A busy machine takes its time to form a cluster.
jest.setTimeout(240_000);

/** What is broken, in a cluster that holds one of everything; each test is a line of docs/recoveries.md. */

async function zoo(version: string): Promise<World> {
  const world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
  await fillZoo(world);
  // Relight sees it while it is well, as it does in the field: it remembers what is in memory.
  const { json } = await relight(world, "verify", "APP", "--json");
  expect(json).toMatchObject({ verdict: "healthy", findings: [], streams: 9, consumers: 6 });
  return world;
}

/** Lets Relight restart servers, as a service manager would. */
async function allowRestarts({ home, servers }: World): Promise<AsyncDisposable> {
  const script = join(import.meta.dirname, "..", "..", "lab", "restart-server.ts");
  const folders = servers.map(({ folder }) => folder);
  const command = JSON.stringify([process.execPath, script, "{name}", ...folders]);
  await appendFile(`${home}/relight.yaml`, `restart:\n  command: ${command}\n`);
  // A restarted server is no longer the lab's child.
  return { [Symbol.asyncDispose]: async () => void (await Promise.all(folders.map(endServer))) };
}

const rungsOf = ({ json }: Run): string =>
  json.rungs
    .filter(({ result }: { result: string }) => result === "helped")
    .map(({ rung }: { rung: string }) => rung)
    .join(", ");

async function assertNoPanic({ servers }: World): Promise<void> {
  for (const server of servers) expect(await server.log()).not.toMatch(/panic|nil pointer/);
}

describe.each(["2.9.10", "2.10.27"])("expired, then renewed, on nats-server %s (#6806)", (version) => {
  test("everything in a cluster comes back in place: no restart, no loss, each configuration as before", async () => {
    await using world = await zoo(version);
    const [state, before] = [await snapshot(world), await configurations(world)];
    const pids = world.servers.map((server) => server.pid());
    await expire(world);
    await renewByHand(world);
    const dead = await relight(world, "verify", "APP", "--json");
    expect({ exit: dead.exit, verdict: dead.json.verdict }).toEqual({ exit: 2, verdict: "dead" });

    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
    expect(healed.exit).toBe(0);
    expect(await snapshot(world)).toEqual(state);
    expect(await configurations(world)).toEqual(before);
    expect(world.servers.map((server) => server.pid())).toEqual(pids);
    await assertZooWorks(world);
    const row = { damage: "expired, then renewed (#6806)", topology: "cluster of three", version };
    expect(await isRecorded({ ...row, rungs: rungsOf(healed), result: "all alive, nothing lost" })).toBe(
      true,
    );
  });
});

test("expired, then renewed, on nats-server 2.15.1: nothing dies", async () => {
  await using world = await zoo("2.15.1");
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healthy", rungs: [] });
  await assertZooWorks(world);
  const row = { damage: "expired, then renewed (#6806)", topology: "cluster of three", version: "2.15.1" };
  expect(await isRecorded({ ...row, rungs: "none", result: "nothing dies" })).toBe(true);
});

/** What the restart itself took, before Relight came: what was in memory only. Copies of it are none here. */
function withoutMemory(state: Record<string, unknown>): Record<string, unknown> {
  const { MEM, MEM3, ...rest } = state;
  return rest;
}

test("restarted while expired, on nats-server 2.15.1: found where $JS.API.INFO says OK, healed without a restart", async () => {
  await using world = await zoo("2.15.1");
  const [state, before] = [await snapshot(world), await configurations(world)];
  await restartWhileExpired(world);
  const pids = world.servers.map((server) => server.pid());
  const dead = await relight(world, "verify", "APP", "--json");
  expect(dead.json.verdict).toBe("dead");
  expect(dead.json.findings.map(({ code }: { code: string }) => code)).toContain("stream.node_missing");
  expect(dead.json.diagnosis.join()).toMatch(/restarted while the account was expired/);

  const healed = await relight(world, "heal", "APP", "--json");
  expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(withoutMemory(await snapshot(world))).toEqual(withoutMemory(state));
  expect(await configurations(world)).toEqual(before);
  expect(world.servers.map((server) => server.pid())).toEqual(pids);
  await assertNoPanic(world);
  await assertZooWorks(world);
  const row = { damage: "restarted while expired", topology: "cluster of three", version: "2.15.1" };
  expect(await isRecorded({ ...row, rungs: "touch-metadata", result: "all alive, no restart" })).toBe(true);
  expect(rungsOf(healed)).toMatch(/touch-metadata/);
});

describe.each(["2.9.10", "2.10.27"])("restarted while expired, on nats-server %s", (version) => {
  test("no update is sent that would make servers panic; the guarded restart heals", async () => {
    await using world = await zoo(version);
    const [state, before] = [await snapshot(world), await configurations(world)];
    await restartWhileExpired(world);
    const pids = world.servers.map((server) => server.pid());
    const refused = await relight(world, "heal", "APP", "--json");
    expect(refused.exit).toBe(2);
    const why = (rung: string) => refused.json.rungs.find((one: { rung: string }) => one.rung === rung)?.why;
    expect(why("touch-metadata")).toMatch(/not proved to survive it: .*panic/);
    expect(why("restart-servers")).toMatch(/no way to restart servers is configured/);
    expect(world.servers.map((server) => server.pid())).toEqual(pids);

    await using _stop = await allowRestarts(world);
    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
    expect(withoutMemory(await snapshot(world))).toEqual(withoutMemory(state));
    expect(await configurations(world)).toEqual(before);
    await assertNoPanic(world);
    await assertZooWorks(world);
    const row = { damage: "restarted while expired", topology: "cluster of three", version };
    expect(await isRecorded({ ...row, rungs: "restart-servers", result: "all alive, no panic" })).toBe(true);
    expect(rungsOf(healed)).toMatch(/restart-servers/);
  });
});
