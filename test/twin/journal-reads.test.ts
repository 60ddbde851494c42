import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/** How much of the journal one run of `remediate` reads, as DynamoDB counts it; docs/decisions/0016 has the numbers. */

const artefacts = packageForTwin();

describeTwin("remediate's calls to the journal", () => {
  let world: World;
  let twin: Twin;

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, size: 3 });
    await fill(world, { messages: 1, replicas: 3 });
    twin = await startTwin({ world, artefacts });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  /** Calls to DynamoDB of the run that the trigger leads to, by operation. */
  async function callsOf(trigger: () => Promise<unknown>): Promise<Record<string, number>> {
    const before = twin.proxy.calls.length;
    await trigger();
    await twin.queues.idle();
    const counts: Record<string, number> = {};
    for (const { caller, service, operation } of twin.proxy.calls.slice(before)) {
      if (caller !== "remediate" || service !== "dynamodb") continue;
      counts[operation] = (counts[operation] ?? 0) + 1;
    }
    return counts;
  }

  test("a heal, and a check of a healthy account", async () => {
    await expire(world);
    await renewByHand(world, 3_600);
    const healing = await callsOf(() => byWebhook(twin, world.accountId));
    const looking = await callsOf(() => byWebhook(twin, world.accountId));
    const ends = (await twin.journal(world.accountId)).filter(({ kind }) => kind === "job.finished");
    // However long the rung took to settle: a cached answer costs nothing.
    expect(healing["Query"]).toBeLessThanOrEqual(22);
    expect(looking["Query"]).toBeLessThanOrEqual(8);
    // Another look writes another verdict, if an election takes longer.
    expect(healing["PutItem"]).toBeLessThanOrEqual(20);
    expect(looking["PutItem"]).toBe(6);
    expect(ends.map(({ data }) => data["outcome"])).toEqual(["healed", "healthy"]);
  });
});
