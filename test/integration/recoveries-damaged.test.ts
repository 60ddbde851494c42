import { expect, test } from "@jest/globals";
import { restartWhileExpired, snapshot } from "../../lab/scenario.ts";
import { assertZooWorks, configurations, knownConsumers } from "../../lab/zoo.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { allowRestarts, assertNoPanic, withoutMemory, zoo } from "../support/zoo.ts";

/** Like recoveries-restarted.test.ts, on versions whose servers an update would crash. */

test.each(sampleOf(["2.12.5"], ["2.10.27", "2.12.5"]))(
  "restarted while expired, on nats-server %s: no update is sent that would make servers panic; the guarded restart heals",
  async (version) => {
    await using world = await zoo(version);
    const [state, before] = [await snapshot(world), await configurations(world)];
    const known = await knownConsumers(world);
    await restartWhileExpired(world);
    // Unlike 2.9.10 (recoveries-forgotten.test.ts).
    expect(await knownConsumers(world)).toEqual(known);
    const pids = world.servers.map((server) => server.pid());
    const refused = await relight(world, "heal", "APP", "--json");
    expect(refused.exit).toBe(2);
    const why = (rung: string) => refused.json.rungs.find((one: { rung: string }) => one.rung === rung)?.why;
    expect(why("touch-metadata")).toMatch(/may not survive an update: .*panic/);
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
    const seen = { ...row, rungs: rungsUsed(refused, healed), result: "all alive, no panic" };
    expect(seen).toEqual(await recorded(seen));
  },
);
