import { setTimeout as sleep } from "node:timers/promises";
import { renewByHand } from "../../lab/scenario.ts";
import type { Call } from "../../lab/twin/call.ts";
import { every, type FaultChooser, first } from "../../lab/twin/faults.ts";
import { deliveriesOf, redeliverJob, redeliverPage, sendJob, sendTo, type Taker } from "../../lab/twin/messages.ts";
import { askApi, bySchedule, byWebhook } from "../../lab/twin/triggers.ts";
import type { Twin } from "../../lab/twin/twin.ts";
import { waitFor } from "../../lab/wait.ts";
import type { World } from "../../lab/world.ts";
import { sampleOf } from "./exhaustive.ts";

/** The AWS operations that each function calls; a test compares them with an undisturbed run. */
export const OPERATIONS = {
  remediate: [
    ...["secretsmanager:GetSecretValue", "dynamodb:PutItem", "dynamodb:BatchGetItem", "dynamodb:Query"],
    ...["dynamodb:DeleteItem", "events:PutEvents"],
  ],
  escalate: ["dynamodb:PutItem", "dynamodb:Query", "secretsmanager:GetSecretValue", "dynamodb:DeleteItem"],
  "issuer-webhook": [
    ...["secretsmanager:GetSecretValue", "dynamodb:PutItem", "sqs:SendMessage", "dynamodb:DeleteItem"],
  ],
  api: ["dynamodb:Query", "dynamodb:PutItem", "sqs:SendMessage"],
  sweep: [
    ...["secretsmanager:GetSecretValue", "sqs:GetQueueAttributes", "dynamodb:BatchGetItem"],
    ...["sqs:SendMessageBatch", "dynamodb:Query"],
  ],
} as const;
export type Name = keyof typeof OPERATIONS;

/** What a failed sweep also calls, to page a person. */
export const PAGING = ["dynamodb:PutItem", "events:PutEvents"];

/**
 * The fault of an operation. `shaky`: its first attempt is throttled, the second has its effect and its answer is lost.
 * `failing`: each call fails, for the whole run. `late`: the first answer comes after the SDK gave up on it.
 */
export type Kind = "shaky" | "failing" | "late";
/** Milliseconds: the SDK waits for an answer for ten seconds. */
const LATE = 10_500;

export interface Case {
  readonly name: Name;
  readonly operation: string;
  readonly kind: Kind;
}

/** Each function's clients have the same timeout, so one late answer per function is enough. */
const LATE_ONES: Readonly<Record<Name, string>> = {
  remediate: "dynamodb:PutItem",
  escalate: "dynamodb:PutItem",
  "issuer-webhook": "sqs:SendMessage",
  api: "sqs:SendMessage",
  sweep: "sqs:SendMessageBatch",
};

/** By default each operation fails, one of each function is shaky, and one of all is late. */
export const casesOf = (name: Name): readonly Case[] => {
  const all = [
    { name, operation: LATE_ONES[name], kind: "late" },
    ...OPERATIONS[name].flatMap((operation): Case[] => [
      { name, operation, kind: "shaky" },
      { name, operation, kind: "failing" },
    ]),
  ] as const;
  const isOfSample = ({ operation, kind }: Case): boolean =>
    kind === "failing" || (operation === LATE_ONES[name] && (kind === "shaky" || name === "remediate"));
  return sampleOf(all.filter(isOfSample), all);
};

export const operationOf = ({ service, operation }: Call): string => `${service}:${operation}`;

function faultChooserOf(kind: Kind, fits: (call: Call) => boolean): FaultChooser {
  if (kind === "late") return first(1, { kind: "delay", millis: LATE }, fits);
  if (kind === "failing") return every(1, { kind: "fail", status: 500 }, fits);
  const throttle = first(1, { kind: "throttle" }, fits);
  const lose = first(1, { kind: "cut", when: "after" }, fits);
  return (call) => throttle(call) ?? lose(call);
}

/** The result of a case. */
export interface Ended {
  /** How often there was an effect: pushes, pages or jobs. */
  readonly done: number;
  /** What the caller, or the queue, received. */
  readonly told: readonly unknown[];
  /** How many calls were disturbed. */
  readonly faults: number;
}

/** Disturbs the calls of a case, and counts them. */
function disturb(twin: Twin, { name, operation, kind }: Case, fits: (call: Call) => boolean = () => true) {
  const seen = { count: 0 };
  const ask = faultChooserOf(kind, (call) => call.caller === name && operationOf(call) === operation && fits(call));
  const injected = twin.proxy.injectFaults((call) => {
    const fault = ask(call);
    if (fault !== undefined) seen.count += 1;
    return fault;
  });
  return { seen, [Symbol.dispose]: () => injected[Symbol.dispose]() };
}

/** The calls of the run that had the message first; later runs are not disturbed. */
const ofFirstRun =
  (twin: Twin, part: string, by: Taker) =>
  ({ request }: Call): boolean =>
    deliveriesOf(twin, part, by)[0]?.run.request === request;

/** A job on an account that is due for renewal: its pushes; its attempts, its first end, and how often it paged. */
export async function remediated(
  twin: Twin,
  one: Case,
  { accountId }: World,
  pushes: ReadonlyMap<string, number>,
): Promise<Ended> {
  using fault = disturb(twin, one, ofFirstRun(twin, accountId, "remediate"));
  await sendJob(twin, accountId);
  const deliveries = await redeliverJob(twin, accountId);
  const entries = await twin.journal(accountId);
  const outcomes = entries.filter(({ kind }) => kind === "job.finished").map(({ data }) => data["outcome"]);
  const calls = entries.filter(({ kind }) => kind === "incident.opened").length;
  const told = [deliveries.length, outcomes.at(0), calls];
  return { done: pushes.get(accountId) ?? 0, told, faults: fault.seen.count };
}

/** A page that arrives twice: what reached the channel. */
export async function escalated(twin: Twin, one: Case): Promise<Ended> {
  const key = `page ${one.operation} ${one.kind}`;
  using fault = disturb(twin, one, ofFirstRun(twin, key, "escalate"));
  const body = pageOf(key);
  await sendTo(twin, "pages", body);
  const deliveries = (await redeliverPage(twin, key)).length;
  await sendTo(twin, "pages", body);
  await redeliverPage(twin, key, deliveries + 1);
  const pages = twin.receiver.pages.filter(({ data }) => data.key === key);
  return { done: pages.length, told: [deliveries], faults: fault.seen.count };
}

/** An incident as Relight's bus puts it into the queue of pages. */
export function pageOf(key: string, more: object = {}): string {
  const at = new Date().toISOString();
  const incident = {
    key,
    status: "open",
    failureClass: "cluster_unreachable",
    account: "-",
    accountName: "the cluster",
    severity: "critical",
    summary: key,
    advice: [],
    evidence: {},
    since: at,
    at,
    ...more,
  };
  const type = incident.status === "open" ? "Incident Opened" : "Incident Resolved";
  return JSON.stringify({ source: "relight", "detail-type": type, detail: incident });
}

/** A delivery of the issuer that is sent twice, the second time undisturbed: the answers, and its jobs. */
export async function delivered(twin: Twin, one: Case, account: string): Promise<Ended> {
  const id = `msg_${one.operation}_${one.kind}`.replace(":", "_");
  const send = (): Promise<number> => byWebhook(twin, account, undefined, id);
  const told: number[] = [];
  const faults = await (async () => {
    using fault = disturb(twin, one);
    told.push(await send());
    return fault.seen.count;
  })();
  told.push(await send());
  const done = await jobsOf(twin, `webhook/${id}`);
  // The next delivery would be coalesced with a job that has not begun.
  await Promise.all(deliveriesOf(twin, `webhook/${id}`).map(({ run }) => run.end));
  return { done, told, faults };
}

/** A person's order, repeated if the console refused it. */
export async function ordered(twin: Twin, one: Case, account: string): Promise<Ended> {
  const reason = `order ${one.operation} ${one.kind}`;
  const body = JSON.stringify({ action: "verify", reason });
  const send = async (): Promise<number> =>
    (await askApi(twin.http.url, `/accounts/${account}/jobs`, { method: "POST", body })).status;
  const told: number[] = [];
  const faults = await (async () => {
    using fault = disturb(twin, one);
    told.push(await send());
    return fault.seen.count;
  })();
  if (told[0] !== 202) told.push(await send());
  return { done: await jobsOf(twin, reason), told, faults };
}

/** How many messages contain the text, once the queue has delivered them. */
async function jobsOf(twin: Twin, part: string): Promise<number> {
  await waitFor(part, () => deliveriesOf(twin, part).length > 0, { timeout: 60_000 });
  // A second message would arrive with the next polls.
  await sleep(300);
  return new Set(deliveriesOf(twin, part).flatMap(({ messages: [message] }) => message?.MessageId ?? [])).size;
}

/** An incident that could not be journaled, because that begins with a query, is only resolved by a person. */
export const isResolvable = ({ operation }: Pick<Case, "operation">): boolean => operation !== "dynamodb:Query";

/** A sweep that finds a due account, and the next one: how often it was renewed, and which pages were sent. */
export async function swept(
  twin: Twin,
  one: Case,
  account: World,
  pushes: ReadonlyMap<string, number>,
): Promise<Ended> {
  await renewByHand(account, 3_600);
  const [pages, before] = [twin.receiver.pages.length, pushes.get(account.accountId) ?? 0];
  const told: unknown[] = [];
  const faults = await (async () => {
    using fault = disturb(twin, one);
    told.push((await bySchedule(twin)).kind);
    return fault.seen.count;
  })();
  const isPaged = (times: number) => (): boolean => twin.receiver.pages.length >= pages + times;
  // A page that is still in the queue when its incident ends is not sent.
  if (told[0] === "failed") await waitFor("a page", isPaged(1));
  // Before the first sweep's job is done, so it may be queued twice.
  told.push((await bySchedule(twin)).kind);
  await twin.queues.idle();
  if (told[0] === "failed") await waitFor("a page and its end", isPaged(isResolvable(one) ? 2 : 1));
  told.push(...twin.receiver.pages.slice(pages).map(({ data }) => data.status));
  return { done: (pushes.get(account.accountId) ?? 0) - before, told, faults };
}
