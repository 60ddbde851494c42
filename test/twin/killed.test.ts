import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import pMap from "p-map";
import { expire, fill, renewByHand, type Symptoms, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import type { Call } from "../../lab/twin/call.ts";
import type { FaultChooser, When } from "../../lab/twin/faults.ts";
import type { JournalEntry } from "../../lab/twin/journal.ts";
import { deliveriesOf, redeliverJob } from "../../lab/twin/messages.ts";
import { byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { retry } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/**
 * `remediate` is killed at each of its writes, before and after AWS has it, and during its work on NATS; then the queue
 * delivers the job again. A read has no effect, so a kill at one equals a kill after the write before it. Each point
 * has its own account, dead and due for renewal: its job renews, pushes, proves, and steps leaders down.
 */
type Point =
  | { readonly at: "write"; readonly when: When; readonly write: string; readonly nth: number }
  | { readonly at: "nats"; readonly subject: string };

/** In the order of an undisturbed run, which a test below checks. */
const WRITES = [
  ...["lease", "job.started", "verdict", "claims.seen", "push.started", "push.proved"],
  ...["verdict", "claims.seen", "rung.started", "verdict", "rung.finished", "job.finished", "release"],
];
/** The journal lacks what happened on NATS since the last write: the push, and the rung. */
const BEFORE = [
  { write: "lease", nth: 1 },
  { write: "push.proved", nth: 1 },
  { write: "verdict", nth: 3 },
] as const;
const ALL: readonly Point[] = [
  ...BEFORE.map((write): Point => ({ at: "write", when: "before", ...write })),
  ...WRITES.map((write, index): Point => {
    const nth = WRITES.slice(0, index + 1).filter((other) => other === write).length;
    return { at: "write", when: "after", write, nth };
  }),
  ...["$SYS.REQ.CLAIMS.UPDATE", "$JS.API.STREAM.LEADER.STEPDOWN.", "$JS.API.CONSUMER.LEADER.STEPDOWN."].map(
    (subject): Point => ({ at: "nats", subject }),
  ),
];
/**
 * One of each kind of end: nothing sent, sent and not proved, a rung begun, a rung midway, only the journal written.
 */
const SAMPLE = [
  "after the write: push.started",
  "within its work on NATS: $SYS.REQ.CLAIMS.UPDATE",
  "after the write: rung.started",
  "within its work on NATS: $JS.API.CONSUMER.LEADER.STEPDOWN.",
  "after the write: job.finished",
];
const POINTS = sampleOf(
  ALL.filter((point) => SAMPLE.includes(titleOf(point))),
  ALL,
);

const artefacts = packageForTwin();

/** Everything that is known of one point afterwards. */
interface Case {
  readonly point: Point;
  readonly isKilled: boolean;
  readonly unhealthy: Symptoms;
  readonly well: Symptoms;
  /** Streams, their messages and the positions of their consumers. */
  readonly before: unknown;
  readonly after: unknown;
  readonly pushes: number;
  readonly steps: readonly string[];
  readonly journal: readonly JournalEntry[];
  readonly told: ReturnType<typeof reportsOf>;
  /** How often the queue delivered the job. */
  readonly deliveries: number;
}

describeTwin("remediate, killed and started again by the queue", () => {
  let world: World;
  let twin: Twin;
  let cases: readonly PromiseSettledResult<Case>[] = [];

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, size: 3 });
    await fill(world, { messages: 1, replicas: 3 });
    const accounts: Record<string, World> = {};
    for (const [index] of POINTS.entries()) accounts[`APP${index}`] = await anotherAccount(world, `APP${index}`);
    twin = await startTwin({ world, artefacts, accounts });
    const run = async (point: Point, index: number): Promise<PromiseSettledResult<Case>> => {
      const [end] = await Promise.allSettled([runCase(twin, point, accounts[`APP${index}`] as World)]);
      return end;
    };
    cases = await pMap(POINTS, run, { concurrency: 2 });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  test.each(POINTS.map((point, index) => [titleOf(point), index] as const))("%s", (_title, index) => {
    const end = cases[index];
    if (end?.status !== "fulfilled") throw end?.reason;
    const one = end.value;
    expect(one.unhealthy.publish).not.toBe("ok");
    expect(one.isKilled).toBe(true);
    expect(one.after).toEqual(one.before);
    expect(one.well).toMatchObject({ publish: "ok", fetch: "ok" });
    // As the servers saw it: renewed once, and each leader stepped down once.
    expect(one.pushes).toBe(1);
    expect([...one.steps].sort()).toEqual(["JOBS", "ORDERS", "ORDERS.audit", "ORDERS.shipping"]);
    expect(one.deliveries).toBe(2);
    expect(endsOf(one.journal)).toEqual(endsAfter(one.point));
    expect(openIn(one.journal)).toEqual(isNeverSent(one.point) ? ["push.started"] : []);
    expect(one.told).toEqual(isReportedBefore(one.point) ? { events: 0, measured: 0 } : { events: 1, measured: 1 });
    expect(one.journal.filter(({ kind }) => kind.startsWith("incident."))).toEqual([]);
  });
});

/** Dead and due for renewal; killed at the point; redelivered until the queue is done with it. */
async function runCase(twin: Twin, point: Point, own: World): Promise<Case> {
  await fill(own, { messages: 5, replicas: 3 });
  const before = await snapshot(own);
  // On a busy machine the claims may expire before they arrive, and then nobody is disconnected.
  await retry("the account to expire", () => expire(own).catch(() => again(own)), 60_000);
  await renewByHand(own, 3_600);
  const state = { isKilled: false };
  const unhealthy = await symptoms(own);
  await using seen = await watch(own, (subject) => {
    if (state.isKilled || point.at !== "nats" || !subject.startsWith(point.subject)) return;
    state.isKilled = true;
    deliveriesOf(twin, own.accountId).at(-1)?.run.kill();
  });
  using _fault = twin.proxy.injectFaults(killer(twin, point, own, state));
  expect(await byWebhook(twin, own.accountId)).toBe(202);
  const { length: deliveries } = await redeliverJob(twin, own.accountId);
  const after = await snapshot(own);
  const well = await symptoms(own);
  const { pushes, steps } = seen;
  const journal = await twin.journal(own.accountId);
  await emptyOut(own);
  return {
    point,
    ...state,
    unhealthy,
    well,
    before,
    after,
    pushes: pushes.length,
    steps,
    journal,
    told: reportsOf(twin, own),
    deliveries,
  };
}

const endsOf = (journal: readonly JournalEntry[]): readonly unknown[] =>
  journal.filter(({ kind }) => kind === "job.finished").map(({ data }) => data["outcome"]);

/**
 * How the finished jobs ended: healed, once. A run that crashes between the end of its remedy and its last entry leaves
 * nothing to heal; the next one finds that out, and reports it instead.
 */
function endsAfter(point: Point): readonly string[] {
  return isReportedBefore(point) ? ["healed", "healthy"] : ["healed"];
}

/** A run killed after its last entry has told only the journal, and that is never repeated. */
const isReportedBefore = (point: Point): boolean =>
  point.at === "write" && ["job.finished", "release"].includes(point.write);

/** A push in the journal that no server ever saw has nothing to prove. */
const isNeverSent = (point: Point): boolean =>
  point.at === "write" && point.when === "after" && point.write === "push.started";

/** Rungs that were begun and not ended, pushes that were not proved. */
function openIn(journal: readonly JournalEntry[]): readonly string[] {
  const count = (kind: string): number => journal.filter((entry) => entry.kind === kind).length;
  const kinds = [
    ["rung.started", "rung.finished"],
    ["push.started", "push.proved"],
  ] as const;
  return kinds.flatMap(([begun, ended]) => (count(begun) === count(ended) ? [] : [begun]));
}

/** How often the account was reported as healed: on the bus, and in the metrics. */
function reportsOf(twin: Twin, own: World): { readonly events: number; readonly measured: number } {
  const requests = deliveriesOf(twin, own.accountId).map(({ run }) => run.request);
  const events = twin.proxy.calls.filter(({ operation, request, input }) => {
    const entries = (input["Entries"] ?? []) as readonly { readonly Detail: string }[];
    const isHealed = entries.some(({ Detail }) => JSON.parse(Detail).outcome === "healed");
    return operation === "PutEvents" && requests.includes(request) && isHealed;
  });
  const measured = twin.functions.lines.filter(
    ({ request, text }) => requests.includes(request) && text.includes('"TimeToRecoverSeconds":'),
  );
  return { events: events.length, measured: measured.length };
}

async function again(own: World): Promise<never> {
  await renewByHand(own);
  throw new Error("its clients were not disconnected");
}

/** So many streams with three replicas would overload the servers. */
async function emptyOut(own: World): Promise<void> {
  const connection = await own.connectAs("app");
  const manager = await jetstreamManager(connection);
  for (const stream of ["ORDERS", "JOBS"]) await manager.streams.delete(stream);
  await connection.close();
}

function titleOf(point: Point): string {
  if (point.at === "nats") return `within its work on NATS: ${point.subject}`;
  const nth = point.nth === 1 ? "" : `, the ${point.nth}th`;
  return `${point.when} the write: ${point.write}${nth}`;
}

/** Kills the account's run at its point, once. */
function killer(twin: Twin, point: Point, { accountId }: World, state: { isKilled: boolean }): FaultChooser {
  let count = 0;
  return (call) => {
    const isOurs = JSON.stringify(call.input["Item"] ?? call.input["Key"] ?? "").includes(accountId);
    if (call.caller !== "remediate" || !isOurs || state.isKilled || point.at !== "write") return undefined;
    if (nameOf(call) !== point.write) return undefined;
    count += 1;
    if (count < point.nth) return undefined;
    state.isKilled = true;
    const run = twin.functions.runs.find(({ request }) => request === call.request);
    return { kind: "run", when: point.when, work: () => run?.kill() };
  };
}

function nameOf({ operation, input }: Call): string {
  const item = input["Item"] as { kind?: { S: string } } | undefined;
  if (operation === "DeleteItem") return "release";
  return item?.kind?.S ?? "lease";
}

/** What the servers saw of an account: pushes of its claims, and step-downs by asset. */
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
    pushes,
    steps,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([system.close(), app.close()]);
    },
  };
}
