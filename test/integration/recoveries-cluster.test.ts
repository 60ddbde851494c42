import { describe, expect, test } from "@jest/globals";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { assertZooWorks, configurations } from "../../lab/zoo.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { zoo } from "../support/zoo.ts";

/** Damage in a cluster that has one of everything; each test is a line of docs/recoveries.md. */

describe.each(["2.9.10", "2.10.27"])("expired, then renewed, on nats-server %s (#6806)", (version) => {
  test("everything in a cluster recovers in place: no restart, no loss, each configuration as before", async () => {
    // 2.9.10 may leave an ephemeral consumer without a leader, so there Relight does not scale it up.
    const ephemeral = version !== "2.9.10";
    // It also does not turn direct gets of three replicas off and on (buckets.test.ts).
    const bucketReplicas = version === "2.9.10" ? 1 : 3;
    await using world = await zoo(version, { ephemeral, bucketReplicas });
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
    await assertZooWorks(world, ephemeral ? [] : ["ORDERS > passing"]);
    const row = { damage: "expired, then renewed (#6806)", topology: "cluster of three", version };
    const seen = { ...row, rungs: rungsUsed(healed), result: "all alive, nothing lost" };
    expect(seen).toEqual(await recorded(seen));
  });
});

test("expired, then renewed, on nats-server 2.15.1: nothing dies", async () => {
  await using world = await zoo("2.15.1");
  await expire(world);
  await renewByHand(world);
  const healed = await relight(world, "heal", "APP", "--json");
  expect(healed.json).toMatchObject({ outcome: "healthy", rungs: [] });
  await assertZooWorks(world);
  const row = { damage: "expired, then renewed (#6806)", topology: "cluster of three", version: "2.15.1" };
  const seen = { ...row, rungs: rungsUsed(healed), result: "nothing dies" };
  expect(seen).toEqual(await recorded(seen));
});
