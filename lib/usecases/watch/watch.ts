import type { AccountId } from "../../domain/claims/account.ts";
import { type Operator, trustedDeleters } from "../../domain/claims/operator.ts";
import { EVEN_UNPROVED, lastClaims } from "../../domain/journal/journal.ts";
import { isJsonObject } from "../../domain/time/json.ts";
import { epochMillis, type Millis, millis, toSeconds } from "../../domain/time/time.ts";
import { countRefusal, NO_STORMS } from "../../domain/watch/storm.ts";
import { type ClusterEvent, decide, type WatchAction, type WatchFacts } from "../../domain/watch/watch.ts";
import { asRelightError, type RelightError } from "../../errors.ts";
import type { Events } from "../../ports/cluster.ts";
import type { Job, Trigger } from "../../ports/jobs.ts";
import type { Journal } from "../../ports/journal.ts";
import type { Log } from "../../ports/log.ts";
import type { Context } from "../context/context.ts";
import type { Remediation } from "../remediate/remediation.ts";
import { type ExpiryTimes, expiryTimes, type KnownExpiry } from "./expiry-times.ts";
import { type WatchQueue, watchQueue } from "./watch-queue.ts";
import { type WatchSweeps, watchSweeps } from "./watch-sweeps.ts";

/** How a job ended; `queued` if it runs elsewhere. */
export type JobEnd =
  | { readonly state: "done"; readonly result: Remediation }
  | { readonly state: "failed"; readonly error: RelightError }
  | { readonly state: "queued" };

/** How a sweep ended. */
export interface SweepEnd {
  readonly queued: number;
  /** The accounts that expire soon. */
  readonly expiring: readonly KnownExpiry[];
  readonly ends: readonly { readonly account: AccountId; readonly end: JobEnd }[];
}

/** Notes about a running watch. */
export type WatchNote =
  | { readonly what: "heard"; readonly event: ClusterEvent; readonly action: WatchAction }
  | { readonly what: "job"; readonly account: AccountId; readonly reason: string; readonly end: JobEnd }
  | { readonly what: "sweep"; readonly reason: string; readonly end: SweepEnd | RelightError };

export interface Watching extends Pick<Context, "clock" | "timing"> {
  readonly newId: () => string;
  readonly log: Log;
  readonly journal: Journal;
  readonly operator: Operator;
  readonly configured: readonly AccountId[];
  readonly events: Events;
  /**
   * Runs one job on its own connection, because this connection's list of servers may be outdated.
   * @throws RelightError if it could not be queued.
   */
  readonly work: (job: Job) => Promise<JobEnd>;
  readonly sweep: (trigger: Trigger, reason: string) => Promise<SweepEnd>;
  readonly report: (note: WatchNote) => void;
  /** The time between two sweeps; if undefined there is none at all, and jobs begin only because of an account's events. */
  readonly sweepEvery: Millis | undefined;
  /** What started it, for the reason of the first sweep. */
  readonly program: "relight watch" | "relight serve";
}

const AT_ONCE = millis(0);
/** A job that began longer ago than this without ending has crashed; milliseconds. */
const LONGEST_JOB = 10 * 60_000;
/** How many of an account's latest pushes to search. */
const LATEST_PUSHES = 20;

/**
 * Listens until the events end, and turns them into jobs and sweeps; then waits for running ones to end.
 * @throws RelightError the errors of `events`.
 */
export async function watch(watching: Watching): Promise<void> {
  const { clock, timing, events } = watching;
  const sweeps = watchSweeps({
    clock,
    every: watching.sweepEvery,
    work: async (trigger, reason) => {
      const end = await doSweep(watching, trigger, reason);
      if (end !== undefined) expiries.note([...end.expiring, ...end.ends.flatMap(expiryIn)]);
    },
  });
  const queue = watchQueue({
    clock,
    timing,
    work: async (account, reason) => {
      const end = await doJob(watching, account, reason);
      expiries.note(expiryIn({ account, end }));
      return end.state === "failed" && end.error.code === "account.busy" ? "busy" : "done";
    },
    onOverflow: () => {
      if (watching.sweepEvery !== undefined) sweeps.ask("event", "too many accounts at once", AT_ONCE);
      else watching.log.warn("events of an account are dropped: too many accounts at once, and sweeps are off");
    },
  });
  const expiries = expiryTimes({
    clock,
    onExpiry: (account) => void afterExpiry(watching, account, { queue, expiries }),
  });
  let storms = NO_STORMS;
  const stormOf = (event: ClusterEvent): WatchFacts["storm"] => {
    if (event.kind !== "auth-failed") return "none";
    const counted = countRefusal(storms, event, clock.now());
    storms = counted.storms;
    return counted.storm;
  };
  if (watching.sweepEvery !== undefined) sweeps.ask("schedule", `${watching.program} started`, AT_ONCE);
  try {
    for await (const event of events.listen()) {
      const facts = await gather(watching, queue, event, stormOf(event));
      if (event.kind === "deletion-ordered" && facts?.trusted) await rememberOrder(watching, event);
      if (facts === undefined) continue;
      const action = decide(event, facts, timing.watch);
      act(watching, { queue, sweeps }, event, watching.sweepEvery === undefined ? withoutSweep(action) : action);
    }
  } finally {
    expiries.stop();
    await Promise.all([queue.stop(), sweeps.stop()]);
  }
}

function act(
  { log, report }: Watching,
  { queue, sweeps }: { queue: WatchQueue; sweeps: WatchSweeps },
  event: ClusterEvent,
  action: WatchAction,
): void {
  const isTrouble = event.kind === "auth-failed" || event.kind === "connection-lost";
  if (action.do !== "nothing") {
    log[isTrouble ? "warn" : "info"](`event: ${event.kind}`, { event, action });
    report({ what: "heard", event, action });
  }
  if (action.do === "job") queue.ask(action.account, action.why, action.settle);
  if (action.do === "sweep") sweeps.ask("event", action.why, action.settle);
  // Without a connection nothing can be requested, and a sweep follows when it is back.
  if (event.kind === "connection-lost") sweeps.forget();
}

/** Checks the account unless a job has seen later claims since: a renewal by anybody else is in the journal only. */
async function afterExpiry(
  watching: Watching,
  account: AccountId,
  { queue, expiries }: { queue: WatchQueue; expiries: ExpiryTimes },
): Promise<void> {
  const latest = await orUndefined(watching, () => watching.journal.latest([account]));
  const job = latest?.get(account);
  const at = job?.state === "finished" ? job.expiresAt : undefined;
  if (at !== undefined && at > watching.clock.now()) expiries.note([{ account, at }]);
  else queue.ask(account, "its claims have expired", AT_ONCE);
}

/** The expiry that a job saw. */
function expiryIn({ account, end }: SweepEnd["ends"][number]): readonly KnownExpiry[] {
  const expiresAt = end.state === "done" ? end.result.expiresAt : undefined;
  return expiresAt === undefined ? [] : [{ account, at: epochMillis(Date.parse(expiresAt)) }];
}

/** What asks for a sweep is only reported where sweeps are off. */
const withoutSweep = (action: WatchAction): WatchAction =>
  action.do === "sweep" ? { do: "note", why: `${action.why}; sweeps are off` } : action;

/** The facts for the decision, requested only if needed; undefined if a waiting job will see everything. */
async function gather(
  watching: Watching,
  queue: WatchQueue,
  event: ClusterEvent,
  storm: WatchFacts["storm"],
): Promise<WatchFacts | undefined> {
  const facts: WatchFacts = {
    trusted: false,
    ownPush: false,
    atWork: false,
    expired: undefined,
    known: false,
    storm,
  };
  if (!("account" in event) || event.account === undefined) return facts;
  const { account } = event;
  // Always report pushes and deletions, because the log should show who changed what.
  const isWorthReporting = event.kind === "claims-pushed" || event.kind === "deletion-ordered";
  if (queue.waits(account) && !isWorthReporting) return undefined;
  switch (event.kind) {
    case "deletion-ordered":
      return {
        ...facts,
        trusted: event.isSelfSigned && trustedDeleters(watching.operator).includes(event.issuer),
      };
    case "claims-pushed":
      return { ...facts, ownPush: await isOwnPush(watching, account, event.jti) };
    case "client-expired":
      return { ...facts, expired: await hasExpired(watching, account) };
    case "auth-failed":
      return { ...facts, known: storm === "account" && (await isKnown(watching, account)) };
    case "leader-elected":
      return { ...facts, atWork: await isAtWork(watching, account) };
    case "quorum-lost":
      return facts;
  }
}

/**
 * Records a deletion request when it arrives, because for an account that also expired, nothing shows later that somebody
 * deleted it. The next check sees whether servers obeyed.
 */
async function rememberOrder(
  watching: Watching,
  { account, iat: ordered, jti: order, issuer }: Extract<ClusterEvent, { kind: "deletion-ordered" }>,
): Promise<void> {
  const { journal, clock, newId } = watching;
  const query = { account, kinds: ["claims.seen"], limit: 1 } as const;
  const seen = lastClaims((await orUndefined(watching, () => journal.read(query))) ?? [], EVEN_UNPROVED);
  const iat = seen?.claims.iat ?? ordered;
  const data = { how: "ordered", iat, order, issuer, ...(seen ? { jti: seen.claims.jti } : {}) };
  const entry = { at: clock.now(), job: newId(), account, kind: "account.deleted", data } as const;
  await orUndefined(watching, () => journal.append(entry));
}

/** All of Relight's pushes, from any process, are in the journal before they are sent. */
async function isOwnPush(watching: Watching, account: AccountId, jti: string): Promise<boolean> {
  const query = { account, kinds: ["push.started"], limit: LATEST_PUSHES } as const;
  const pushes = await orUndefined(watching, () => watching.journal.read(query));
  return (pushes ?? []).some(({ data }) => isJsonObject(data["jwt"]) && data["jwt"]["jti"] === jti);
}

async function isAtWork(watching: Watching, account: AccountId): Promise<boolean> {
  const latest = await orUndefined(watching, () => watching.journal.latest([account]));
  const job = latest?.get(account);
  return job?.state === "running" && watching.clock.now() - job.since < LONGEST_JOB;
}

async function hasExpired(watching: Watching, account: AccountId): Promise<boolean | undefined> {
  const running = await orUndefined(watching, () => watching.events.running(account));
  const loaded = (running ?? []).filter((entry) => entry.loaded);
  if (loaded.length === 0) return undefined;
  const now = toSeconds(watching.clock.now());
  return loaded.some(({ expired, document: { claims } }) => expired || (claims.exp ?? now + 1) <= now);
}

async function isKnown(watching: Watching, account: AccountId): Promise<boolean> {
  if (watching.configured.includes(account)) return true;
  const entries = await orUndefined(watching, () => watching.journal.read({ account, limit: 1 }));
  if (entries !== undefined && entries.length > 0) return true;
  const running = await orUndefined(watching, () => watching.events.running(account));
  return (running ?? []).some(({ loaded }) => loaded);
}

/** A failed request must not stop listening. */
async function orUndefined<T>({ log }: Watching, question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch (thrown) {
    log.warn("a request about an event failed", { error: asRelightError(thrown).toJSON() });
    return undefined;
  }
}

async function doJob(watching: Watching, account: AccountId, reason: string): Promise<JobEnd> {
  const id = watching.newId();
  const job: Job = { account, reason, trigger: "event", action: "remediate", id, correlation: id };
  const end = await watching.work(job).catch((thrown: unknown): JobEnd => {
    return { state: "failed", error: asRelightError(thrown) };
  });
  watching.report({ what: "job", account, reason, end });
  return end;
}

async function doSweep(watching: Watching, trigger: Trigger, reason: string): Promise<SweepEnd | undefined> {
  const end = await watching.sweep(trigger, reason).catch((thrown: unknown) => asRelightError(thrown));
  watching.report({ what: "sweep", reason, end });
  return "ends" in end ? end : undefined;
}
