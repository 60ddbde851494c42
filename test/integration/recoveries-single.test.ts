import { describe, expect, test } from "@jest/globals";
import type { NatsConnection } from "@nats-io/transport-node";
import { assertBucketsWork, fillBuckets } from "../../lab/buckets.ts";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";

const WORKS = { apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" };

async function withApp(world: World, work: (client: NatsConnection) => Promise<void>): Promise<void> {
  const client = await world.connectAs("app");
  await work(client);
  await client.close();
}

/** One standalone server; each test is a line of docs/recoveries.md. */
describe.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))("a single server (nats-server %s)", (version) => {
  test.each([
    ["expired, then renewed (#6806)", false],
    ["restarted while expired", true],
  ])("%s", async (damage, restarts) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    await fill(world, { messages: 10 });
    await withApp(world, (client) => fillBuckets(client, 1));
    const state = await snapshot(world);
    await expire(world);
    if (restarts) {
      await world.server.stop();
      await world.server.start();
    }
    await renewByHand(world);
    const pid = world.server.pid();
    const healed = await relight(world, "heal", "APP", "--json");
    const { json, exit } = healed;
    expect({ exit, verdict: json.verdict, findings: json.findings }).toEqual({
      exit: 0,
      verdict: "healthy",
      findings: [],
    });
    expect(await snapshot(world)).toEqual(state);
    expect(world.server.pid()).toBe(pid);
    expect(await symptoms(world)).toEqual(WORKS);
    await withApp(world, assertBucketsWork);
    const rungs = rungsUsed(healed);
    const result = rungs.includes("none") ? "nothing dies" : "all alive, nothing lost";
    const row = { damage, topology: "one server, streams on file", version, rungs, result };
    expect(row).toEqual(await recorded(row));
  });
});
