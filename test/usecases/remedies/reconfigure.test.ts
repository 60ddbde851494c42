import { describe, expect, test } from "@jest/globals";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { RelightError } from "../../../lib/errors.ts";
import { record } from "../../../lib/usecases/context/context.ts";
import { expire, fill, leftBehind, renewByHand, restartWhileExpired, snapshot } from "../../support/virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/** Configurations that are changed temporarily, and restored whatever happens meanwhile. */

async function deafWorld(settings: WorldSettings = {}, streams = 0): Promise<VirtualWorld> {
  const world = virtualWorld({ servers: 3, version: "2.10.27", ...settings });
  fill(world, { replicas: 1 });
  for (let index = 0; index < streams; index++)
    world.machines.addStream(APP.id, { name: `S${index}`, subjects: [`s.${index}`] });
  world.advance(60_000);
  await world.run();
  expire(world);
  renewByHand(world);
  return world;
}

const orders = ({ machines }: VirtualWorld) => machines.streamsOf(APP.id).get("ORDERS");
const of = ({ journal }: VirtualWorld, kind: string) => journal.entries.filter((entry) => entry.kind === kind);

describe("a scale-up", () => {
  test("is journaled with its undo before the first change, and closed stream by stream", async () => {
    const world = await deafWorld();
    const seen: unknown[] = [];
    world.faults.refusal = ({ stream, config }) => {
      if (config["num_replicas"] === 3) seen.push([stream, of(world, "reconfigure.opened").length]);
      return undefined;
    };
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    expect(seen).toEqual([
      ["JOBS", 2],
      ["ORDERS", 2],
    ]);
    expect(of(world, "reconfigure.opened").map(({ data }) => data["stream"])).toEqual(["JOBS", "ORDERS"]);
    expect(of(world, "reconfigure.closed").map(({ data }) => data["stream"])).toEqual(["JOBS", "ORDERS"]);
  });

  test("changes at most twenty streams at once", async () => {
    const world = await deafWorld({}, 23);
    let most = 0;
    world.faults.refusal = () => {
      const lent = [...world.machines.streamsOf(APP.id).values()].filter(({ replicas }) => replicas > 1);
      most = Math.max(most, lent.length);
      return undefined;
    };
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { streams: 25 } });
    expect(most).toBe(20);
    expect(leftBehind(world)).toEqual([]);
  });

  test("waits until new replicas have everything: the remaining ones have all messages", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.machines.timing.catchUp = 20_000;
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    expect(snapshot(world)).toEqual(before);
  });

  test("gives large streams more time to be copied", async () => {
    const world = await deafWorld();
    orders(world)?.publish(5_000_000);
    const before = snapshot(world);
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    expect(snapshot(world)).toEqual(before);
  });

  test("stops if replicas never become current, and restores once they are", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.machines.timing.catchUp = 600_000;
    await expect(world.run("heal")).rejects.toMatchObject({ code: "assets.not_settled" });
    expect(orders(world)?.replicas).toBe(3);
    // Any job in this state pages a person, and changes nothing.
    expect(await world.run("heal")).toMatchObject({
      outcome: "escalated",
      rungs: [
        { rung: "scale-up", result: "failed", begunBy: expect.any(String) },
        { rung: "finish-changes", result: "failed" },
      ],
      why: expect.stringMatching(/another remedy is unfinished/),
    });
    world.machines.timing.catchUp = 1_000;
    world.advance(700_000);
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test("ignores what somebody deleted in between", async () => {
    const world = await deafWorld();
    let asked = 0;
    world.faults.refusal = ({ config }) => {
      if (config["num_replicas"] === 3 && asked++ === 0)
        world.machines.timeline.after(400, () => world.machines.deleteAsset(APP.id, { stream: "ORDERS" }));
      return undefined;
    };
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { streams: 1 } });
    expect(leftBehind(world)).toEqual([]);
  });

  test("is undone if the servers refuse it for one stream, and the others were revived", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.faults.refusal = ({ stream, config }) =>
      stream === "JOBS" && config["num_replicas"] === 3 ? "insufficient storage" : undefined;
    const done = await world.run("heal");
    expect(done.rungs).toMatchObject([
      { rung: "scale-up", result: "failed", why: "the servers refused to change JOBS: insufficient storage" },
      ...["toggle-jetstream", "restart-servers"].map((rung) => ({ rung, result: "refused" })),
    ]);
    expect(done.verdict.findings.map(({ subject }) => subject.stream)).toEqual(["JOBS"]);
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test("restores a consumer last if a server refuses it while its stream has replicas", async () => {
    const world = await deafWorld();
    orders(world)?.addConsumer({ durable_name: "single", num_replicas: 1 });
    orders(world)?.consumers.get("single")?.group.deaf.add("n1");
    world.advance(60_000);
    const before = snapshot(world);
    world.faults.refusal = ({ consumer, config }) =>
      consumer === "single" && config["num_replicas"] === 1 && orders(world)?.replicas === 3 ? "not yet" : undefined;
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test("is undone by the same job if its purpose fails", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    const { assets } = world.newContext();
    const denied = new RelightError("nats.unauthorized", "denied");
    const stepDown = () => Promise.reject(denied);
    const done = await world.run("heal", {}, { assets: { ...assets, stepDown } });
    expect(done.rungs[0]).toMatchObject({ rung: "scale-up", result: "failed", why: "denied" });
    expect(done.verdict.findings.map(({ code }) => code)).not.toContain("remedy.unfinished");
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test("stays open if a server refuses the undo, and is a finding until restored", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.faults.refusal = ({ stream, consumer, config }) =>
      stream === "ORDERS" && consumer === undefined && config["num_replicas"] === 1 ? "not now" : undefined;
    const done = await world.run("heal");
    expect(done).toMatchObject({ outcome: "escalated", rungs: [{ rung: "scale-up", result: "failed" }] });
    expect(done.verdict.findings).toMatchObject([{ code: "remedy.unfinished", subject: { stream: "ORDERS" } }]);
    expect(leftBehind(world)).toEqual(["the configuration of ORDERS"]);
    world.faults.refusal = () => undefined;
    expect(await world.run("remediate")).toMatchObject({
      rungs: [{ rung: "finish-changes", result: "helped" }],
      verdict: { health: "healthy" },
    });
    expect(snapshot(world)).toEqual(before);
  });

  test("stops while the lease is lost", async () => {
    const world = await deafWorld({}, 23);
    const { acquire } = world.journal;
    let isStolen = false;
    const leases = {
      ...world.journal,
      acquire: async (...asked: Parameters<typeof acquire>) => !isStolen && (await acquire(...asked)),
    };
    world.machines.timing.catchUp = 12_000;
    world.faults.refusal = () => {
      isStolen = true;
      return undefined;
    };
    await expect(world.run("heal", {}, { leases })).rejects.toMatchObject({ code: "interrupted" });
    expect(of(world, "reconfigure.opened")).toHaveLength(20);
    expect(of(world, "reconfigure.closed")).toHaveLength(20);
  });
});

test("direct gets of an origin are turned off and on before those of its mirror", async () => {
  const world = virtualWorld({ servers: 3, version: "2.10.27" });
  const bucket = { name: "KV_B", subjects: ["$KV.B.>"], allow_direct: true, num_replicas: 3 };
  world.machines.addStream(APP.id, { ...bucket, name: "A_COPY", subjects: [], mirror: { name: "KV_B" } });
  world.machines.addStream(APP.id, bucket).publish(3);
  world.advance(60_000);
  await world.run();
  expire(world);
  renewByHand(world);
  const asked: [string, unknown, number][] = [];
  world.faults.refusal = ({ stream, config }) => {
    asked.push([stream, config["allow_direct"], world.now()]);
    return undefined;
  };
  expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy" } });
  expect(asked.map(([stream, direct]) => [stream, direct])).toEqual([
    ["KV_B", false],
    ["A_COPY", false],
    ["KV_B", true],
    ["A_COPY", true],
  ]);
  expect(new Set(asked.map(([, , at]) => at)).size).toBe(4);
});

describe("a crashed job's changes", () => {
  const change = (world: VirtualWorld): JsonObject => ({
    stream: "ORDERS",
    undo: { before: orders(world)?.config ?? {}, consumers: [] },
  });
  const died = { id: "died", account: APP.id };
  const healthyWorld = async (settings: WorldSettings = {}) => {
    const world = virtualWorld({ servers: 3, version: "2.10.27", ...settings });
    fill(world, { replicas: 3, bucket: true });
    await world.run();
    return world;
  };

  test("are restored, with every other consumer and configuration unchanged", async () => {
    const world = await healthyWorld();
    const before = snapshot(world);
    await record(world.context, died, "reconfigure.opened", change(world));
    orders(world)?.update({ ...orders(world)?.config, num_replicas: 1 });
    world.advance(60_000);
    expect(await world.run()).toMatchObject({
      rungs: [{ rung: "finish-changes", result: "helped", why: expect.stringMatching(/configuration of ORDERS/) }],
    });
    expect(snapshot(world)).toEqual(before);
  });

  test("are closed without a change if the crashed job changed nothing", async () => {
    const world = await healthyWorld();
    await record(world.context, died, "reconfigure.opened", change(world));
    let asked = 0;
    world.faults.refusal = () => {
      asked++;
      return undefined;
    };
    expect(await world.run()).toMatchObject({ outcome: "healthy", rungs: [] });
    expect({ asked, left: leftBehind(world) }).toEqual({ asked: 0, left: [] });
  });

  test("are never restored for assets without a Raft node if that crashes servers", async () => {
    const world = await healthyWorld();
    const bucket = world.machines.streamsOf(APP.id).get("KV_B");
    const undo = { before: bucket?.config ?? {}, consumers: [] };
    await record(world.context, died, "reconfigure.opened", { stream: "KV_B", undo });
    bucket?.update({ ...bucket.config, allow_direct: false });
    restartWhileExpired(world);
    const done = await world.run("heal");
    expect(done.rungs).toMatchObject([
      { rung: "finish-changes", result: "failed", why: expect.stringMatching(/may not survive an update/) },
    ]);
    expect(world.machines.panics).toEqual([]);
    expect(world.incidents.at(-1)).toMatchObject({ status: "open" });
    for (const { name } of world.machines.servers) {
      world.machines.restart(name);
      world.advance(20_000);
    }
    expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy" } });
    expect(bucket?.config["allow_direct"]).toBe(true);
  });

  test("are left alone if the account was deleted", async () => {
    const world = await healthyWorld();
    await record(world.context, died, "reconfigure.opened", change(world));
    orders(world)?.update({ ...orders(world)?.config, num_replicas: 1 });
    world.machines.deleteAccount(APP.id);
    expect((await world.run("heal")).rungs).toEqual([]);
    expect(orders(world)?.replicas).toBe(1);
    expect(leftBehind(world)).toEqual(["the configuration of ORDERS"]);
  });

  test("are left if the mode may not heal, and a person is paged", async () => {
    const world = await healthyWorld({ mode: "renew" });
    await record(world.context, died, "reconfigure.opened", change(world));
    orders(world)?.update({ ...orders(world)?.config, num_replicas: 1 });
    world.advance(60_000);
    const done = await world.run();
    expect(done.rungs).toMatchObject([
      {
        rung: "finish-changes",
        result: "refused",
        why: expect.stringMatching(/run `relight heal` in a mode that may heal/),
      },
    ]);
    expect(world.incidents).toMatchObject([{ status: "open" }]);
    expect(orders(world)?.replicas).toBe(1);
  });
});
