import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import type { Call } from "../../lab/twin/call.ts";
import type { When } from "../../lab/twin/faults.ts";
import { passTime } from "../../lab/twin/time.ts";
import { byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { packageStack } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/**
 * `remediate` is killed at each of its writes, before and after AWS has it, and within its work on NATS. A
 * read has no effect: to be killed at one is to be killed after the write before it. Then the queue gives the
 * job out again.
 */
const artefacts = packageStack();
afterAll(() => rmSync(artefacts, { recursive: true, force: true }));

describeTwin("remediate, killed and started again by the queue", () => {
  let world: World;
  let twin: Twin;
  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, size: 3 });
    await fill(world, { messages: 10, replicas: 3 });
    twin = await startTwin({ world, artefacts });
  }, 180_000);
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  /** Dead, and due for renewal: a job renews, pushes, and steps leaders down. */
  async function breakIt(): Promise<void> {
    await expire(world);
    await renewByHand(world, 3_600);
    expect((await symptoms(world)).publish).not.toBe("ok");
  }

  test.each<[When, string, number]>(POINTS())("%s %s (%i)", async (when, write, nth) => {
    await breakIt();
    const before = await snapshot(world);
    const since = Date.now();
    await using seen = await watch(world);
    let count = 0;
    let isKilled = false;
    using _fault = twin.proxy.meddle((call) => {
      if (call.caller !== "remediate" || isKilled || nameOf(call) !== write) return undefined;
      count += 1;
      if (count < nth) return undefined;
      isKilled = true;
      return { kind: "run", when, work: ({ request }) => kill(twin, request) };
    });
    expect(await byWebhook(twin, world.accountId)).toBe(202);
    await twin.queues.idle();
    expect(isKilled).toBe(true);
    expect(await passTime(twin)).toBe(1);
    await twin.queues.idle();
    const journal = (await twin.journal(world.accountId)).filter(({ at }) => at >= since);
    console.log(
      when,
      write,
      nth,
      JSON.stringify(seen),
      journal.map(({ kind, data }) => `${kind}${data["outcome"] ?? data["result"] ?? ""}`).join(" "),
      await passTime(twin),
      twin.receiver.pages.length,
    );
    expect(await snapshot(world)).toEqual(before);
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });
});

function POINTS(): [When, string, number][] {
  const writes: [string, number][] = [
    ["lease", 1],
    ["job.started", 1],
    ["verdict", 1],
    ["claims.seen", 1],
    ["push.started", 1],
    ["push.proved", 1],
    ["verdict", 2],
    ["claims.seen", 2],
    ["rung.started", 1],
    ["verdict", 3],
    ["rung.finished", 1],
    ["job.finished", 1],
    ["DeleteItem", 1],
  ];
  return writes.flatMap(([write, nth]) =>
    (["before", "after"] as const).map((when): [When, string, number] => [when, write, nth]),
  );
}

function nameOf({ operation, input }: Call): string {
  const item = input["Item"] as { kind?: { S: string } } | undefined;
  if (operation !== "PutItem") return operation;
  return item?.kind?.S ?? "lease";
}

function kill(twin: Twin, request: string): void {
  twin.functions.runs.find((run) => run.request === request)?.kill();
}

/** What the servers saw: pushes of claims, and step-downs by what was stepped down. */
async function watch(world: World) {
  const system = await world.connectAs("system");
  const app = await world.connectAs("app");
  const pushes: string[] = [];
  const steps: string[] = [];
  system.subscribe("$SYS.REQ.CLAIMS.UPDATE", {
    callback: (_, message) => pushes.push(message.string().slice(-5)),
  });
  app.subscribe("$JS.API.*.LEADER.STEPDOWN.>", {
    callback: (_, message) => steps.push(message.subject.split("STEPDOWN.")[1] ?? ""),
  });
  await Promise.all([system.flush(), app.flush()]);
  return {
    ...{ pushes, steps },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([system.close(), app.close()]);
    },
  };
}
