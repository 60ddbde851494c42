import { describe, expect, test } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { expire, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World, type WorldOptions } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import { relight } from "../support/relight.ts";

/** What must prevent adding two replicas to a stream, with the reason. */
async function deafSingle(
  options: Omit<WorldOptions, "binary">,
  stream: object = {},
  limits: object = {},
  replicated: readonly string[] = [],
): Promise<World> {
  const { path: binary } = await serverBinary("2.10.27");
  const world = await createWorld({ ...options, binary, size: options.size ?? 3 });
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  await world.push(world.sign(world.claims({ exp, limits })));
  const connection = await world.connectAs("app");
  const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
  const config = { name: "ONE", subjects: ["one.*"], num_replicas: 1, ...stream };
  await retry("a stream", () => manager.streams.add(config), 110_000);
  for (const name of replicated)
    await retry(name, () => manager.streams.add({ name, subjects: [name], num_replicas: 3 }));
  // The client's server learns of the stream's leader a moment later than the client.
  for (let count = 0; count < 20; count++)
    await retry("a message to be stored", () => connection.request("one.a", "x".repeat(1_000)));
  await connection.close();
  await expire(world, limits);
  await renewByHand(world, 3_600, limits);
  return world;
}

describe("a single-replica stream is not scaled up", () => {
  test.concurrent.each<[string, Omit<WorldOptions, "binary">, object, object, RegExp]>([
    [
      "if too few servers have its placement tags",
      { config: (index) => (index === 0 ? 'server_tags: ["ssd"]' : "") },
      { placement: { tags: ["ssd"] } },
      {},
      /stream ONE: it needs 3 servers with the tags ssd, but there is 1/,
    ],
    [
      "if the account has no room for the replicas",
      {},
      {},
      { disk_storage: 40_000 },
      /stream ONE: two more replicas need \d+ bytes of file storage, but the account has \d+ left of 40000/,
    ],
    [
      "if the account's limits have no tier for three replicas",
      {},
      {},
      {
        mem_storage: 0,
        disk_storage: 0,
        streams: 0,
        consumer: 0,
        tiered_limits: { R1: { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 } },
      },
      /stream ONE: the account's limits have no tier R3/,
    ],
  ])("%s", async (_where, options, stream, limits, reason) => {
    await using world = await deafSingle(options, stream, limits);
    const before = await configurations(world);
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect({ exit, verdict: json.verdict }).toEqual({ exit: 2, verdict: "dead" });
    const why = json.rungs.find(({ rung }: { rung: string }) => rung === "scale-up")?.why;
    expect(why).toMatch(reason);
    expect(await configurations(world)).toEqual(before);
  });

  test.concurrent("if a server has as many replicated assets as allowed (max_ha_assets): its refusal is reported, nothing stays changed", async () => {
    await using world = await deafSingle({ jetstream: ", limits { max_ha_assets: 1 }" }, {}, {}, ["FULL"]);
    const before = await configurations(world);
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect({ exit, verdict: json.verdict }).toEqual({ exit: 2, verdict: "dead" });
    const rung = json.rungs.find((one: { rung: string }) => one.rung === "scale-up");
    expect(rung).toMatchObject({ result: "failed", why: expect.stringMatching(/refused to change ONE: /) });
    expect(await configurations(world)).toEqual(before);
    expect(json.findings.map(({ code }: { code: string }) => code)).not.toContain("remedy.unfinished");
  });
});
