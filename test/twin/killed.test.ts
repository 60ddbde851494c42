import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pMap from "p-map";
import { expire, fill, renewByHand, type Symptoms, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import type { Call } from "../../lab/twin/call.ts";
import type { Fault, When } from "../../lab/twin/faults.ts";
import type { JournalEntry } from "../../lab/twin/journal.ts";
import { passTime } from "../../lab/twin/time.ts";
import { byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { packageStack } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/**
 * `remediate` is killed at each of its writes, before and after AWS has it, and in the midst of its work on
 * NATS; then the queue gives the job out again. A read has no effect, so to be killed at one is to be killed
 * after the write before it. Each point has an account of its own, dead and due for renewal: its job renews,
 * pushes, proves, and steps leaders down.
 */
type Point =
  | { readonly at: "write"; readonly when: When; readonly write: string; readonly nth: number }
  | { readonly at: "nats"; readonly subject: string };

/** In the order of an undisturbed run, which a test below checks. */
const WRITES = [
  ...["lease", "job.started", "verdict", "claims.seen", "push.started", "push.proved"],
  ...["verdict", "claims.seen", "rung.started", "verdict", "rung.finished", "job.finished", "release"],
];
const POINTS: readonly Point[] = [
  ...WRITES.flatMap((write, index): Point[] => {
    const nth = WRITES.slice(0, index + 1).filter((other) => other === write).length;
    return [
      { at: "write", when: "before", write, nth },
      { at: "write", when: "after", write, nth },
    ];
  }),
  ...["$SYS.REQ.CLAIMS.UPDATE", "$JS.API.STREAM.LEADER.STEPDOWN.", "$JS.API.CONSUMER.LEADER.STEPDOWN."].map(
    (subject): Point => ({ at: "nats", subject }),
  ),
];

const artefacts = packageStack();
afterAll(() => rmSync(artefacts, { recursive: true, force: true }));

/** All that is known of one point once it is over. */
interface Case {
  readonly point: Point;
  readonly world: World;
  readonly before: unknown;
  readonly sick: Symptoms;
  readonly seen: Awaited<ReturnType<typeof watch>>;
  isKilled: boolean;
}

describeTwin("remediate, killed and started again by the queue", () => {
  let world: World;
  let twin: Twin;
  let cases: readonly Case[] = [];
  const journals = new Map<Case, readonly JournalEntry[]>();
  let redelivered: readonly number[] = [];

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, size: 3 });
    await fill(world, { messages: 1, replicas: 3 });
    const worlds = await pMap(
      [...POINTS, "undisturbed"],
      (_, index) => anotherAccount(world, `APP${index}`),
      {
        concurrency: 4,
      },
    );
    const accounts = Object.fromEntries(worlds.map((each, index) => [`APP${index}`, each]));
    twin = await startTwin({ world, artefacts, accounts });
    await pMap(worlds, (each) => fill(each, { messages: 5, replicas: 3 }), { concurrency: 3 });
    cases = await pMap(POINTS, (point, index) => breakOne(point, worlds[index] as World), { concurrency: 8 });
    using _faults = twin.proxy.meddle((call) => faultFor(twin, cases, call));
    await pMap(cases, async (each) => expect(await byWebhook(twin, each.world.accountId)).toBe(202), {
      concurrency: 3,
    });
    await twin.queues.idle({ timeout: 120_000 });
    redelivered = [await passTime(twin)];
    await twin.queues.idle({ timeout: 120_000 });
    redelivered = [...redelivered, await passTime(twin)];
    for (const each of cases) journals.set(each, await twin.journal(each.world.accountId));
  }, 300_000);
  afterAll(async () => {
    for (const { seen } of cases) await seen[Symbol.asyncDispose]();
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  test.each(POINTS.map((point, index) => [titleOf(point), index] as const))("%s", async (_title, index) => {
    const one = cases[index] as Case;
    const journal = journals.get(one) ?? [];
    console.log(
      titleOf(one.point),
      one.isKilled,
      JSON.stringify(one.seen),
      journal.map(({ kind, data }) => `${kind}${data["outcome"] ?? data["result"] ?? ""}`).join(" "),
      redelivered,
      twin.receiver.pages.length,
    );
    expect(one.sick.publish).not.toBe("ok");
    expect(one.isKilled).toBe(true);
    expect(await snapshot(one.world)).toEqual(one.before);
    expect(await symptoms(one.world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });

  async function breakOne(point: Point, own: World): Promise<Case> {
    const before = await snapshot(own);
    await expire(own);
    await renewByHand(own, 3_600);
    const sick = await symptoms(own);
    const seen = await watch(own, (subject) => {
      if (one.isKilled || point.at !== "nats" || !subject.startsWith(point.subject)) return;
      one.isKilled = true;
      const job = twin.queues.deliveries.findLast(({ messages: [message] }) =>
        message?.Body?.includes(own.accountId),
      );
      job?.run.kill();
    });
    const one: Case = { point, world: own, before, sick, seen, isKilled: false };
    return one;
  }
});

function titleOf(point: Point): string {
  if (point.at === "nats") return `within its work on NATS: ${point.subject}`;
  const nth = point.nth === 1 ? "" : `, the ${point.nth}th`;
  return `${point.when} the write: ${point.write}${nth}`;
}

const counts = new Map<Case, number>();

/** Kills the run at the point of its account's case, once. */
function faultFor(twin: Twin, cases: readonly Case[], call: Call): Fault | undefined {
  const text = JSON.stringify(call.input["Item"] ?? call.input["Key"] ?? "");
  const one = cases.find(({ world }) => text.includes(world.accountId));
  if (call.caller !== "remediate" || one === undefined || one.isKilled) return undefined;
  const { point } = one;
  if (point.at !== "write" || nameOf(call) !== point.write) return undefined;
  const count = (counts.get(one) ?? 0) + 1;
  counts.set(one, count);
  if (count < point.nth) return undefined;
  one.isKilled = true;
  const run = twin.functions.runs.find(({ request }) => request === call.request);
  return { kind: "run", when: point.when, work: () => run?.kill() };
}

function nameOf({ operation, input }: Call): string {
  const item = input["Item"] as { kind?: { S: string } } | undefined;
  if (operation === "DeleteItem") return "release";
  return item?.kind?.S ?? "lease";
}

/** What the servers saw of an account: pushes of its claims, and step-downs by what was stepped down. */
async function watch({ connectAs, accountId }: World, on: (subject: string) => void) {
  const system = await connectAs("system");
  const app = await connectAs("app");
  const pushes: string[] = [];
  const steps: string[] = [];
  const own = Buffer.from(accountId).toString("utf8");
  system.subscribe("$SYS.REQ.CLAIMS.UPDATE", {
    callback: (_, message) => {
      const claims = Buffer.from(message.string().split(".")[1] ?? "", "base64url").toString();
      if (!claims.includes(`"sub":"${own}"`)) return;
      pushes.push(message.subject);
      on(message.subject);
    },
  });
  app.subscribe("$JS.API.*.LEADER.STEPDOWN.>", {
    callback: (_, message) => {
      steps.push(message.subject.split("STEPDOWN.")[1] ?? "");
      on(message.subject);
    },
  });
  await Promise.all([system.flush(), app.flush()]);
  return {
    ...{ pushes, steps },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([system.close(), app.close()]);
    },
  };
}
