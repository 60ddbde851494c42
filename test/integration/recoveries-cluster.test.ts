import { describe, expect, test } from "@jest/globals";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { WITH_DEFECT } from "../../lab/server-binaries.ts";
import { assertZooWorks, configurations } from "../../lab/zoo.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { zoo } from "../support/zoo.ts";

/** Damage in a cluster that has one of everything; each test is a line of docs/recoveries.md. */

describe.each(sampleOf(["2.9.25", "2.10.27"], WITH_DEFECT))(
  "expired, then renewed, on nats-server %s (#6806)",
  (version) => {
    test("everything in a cluster recovers in place: no restart, no loss, each configuration as before", async () => {
      // 2.9 may leave an ephemeral consumer without a leader, so there Relight does not scale it up (seen on 2.9.10).
      const ephemeral = version !== "2.9.25";
      await using world = await zoo(version, { ephemeral });
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
  },
);

test.each(sampleOf(["2.15.2"], ["2.12.5", "2.15.2"]))(
  "expired, then renewed, on nats-server %s: nothing dies",
  async (version) => {
    await using world = await zoo(version);
    await expire(world);
    await renewByHand(world);
    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healthy", rungs: [] });
    await assertZooWorks(world);
    const row = { damage: "expired, then renewed (#6806)", topology: "cluster of three", version };
    const seen = { ...row, rungs: rungsUsed(healed), result: "nothing dies" };
    expect(seen).toEqual(await recorded(seen));
  },
);
