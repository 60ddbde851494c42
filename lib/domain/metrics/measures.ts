import type { AccountId } from "../claims/account.ts";
import type { Incident } from "../incidents/incident.ts";
import { type EpochMillis, epochMillis, type Millis } from "../time/time.ts";
import type { Verdict } from "../verdict/verdict.ts";

/** A metric's dimensions besides `service`, which every metric has. */
export type Dimension = "Outcome" | "Verdict" | "Rung" | "Account";

export interface MetricDescription {
  readonly unit: "Count" | "Seconds";
  /** The dimensions it is emitted with; empty if only `service`. */
  readonly dimensions: readonly Dimension[];
  /** Whether it is (also) emitted with `service` alone, which alarms need. */
  readonly total: boolean;
  /** When a value is emitted, and what it means. */
  readonly when: string;
  /** Which values are bad, and what to do then. */
  readonly advice: string;
}

/**
 * Every metric that Relight emits. docs/observability.md is generated from this, and the stack's alarms and dashboard use
 * only these metrics; tests enforce both.
 */
export const METRICS = {
  SweepFinished: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 at the end of each sweep that saw all accounts; nothing if it failed.",
    advice:
      "Missing for 15 minutes: sweeps fail or hang, and no renewal happens. See the errors in the log of `sweep`.",
  },
  AccountsSeen: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: the number of accounts, whether or not a job was due.",
    advice: "An unexpected drop: `relight status` names the accounts that the resolver lost.",
  },
  JobsQueued: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: the number of accounts for which it queued a job.",
    advice:
      "As high as `AccountsSeen`, sweep after sweep, although `sweep.verifyEvery` is longer than `5m`: no account stays healthy. The log line `a job began` says why each was due.",
  },
  JobsPostponed: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: the number of due jobs left to the next sweep because the queue is full.",
    advice:
      "Above 0 for an hour: jobs arrive faster than they finish. See `QueueAgeSeconds`, and raise `maximumConcurrency`.",
  },
  AccountsPastPage: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: the number of accounts past the page threshold of their policy.",
    advice:
      "1 or more: an account has expired or is about to. `relight status` names it; `relight renew ACCOUNT` renews it.",
  },
  OldestUnverifiedSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: the age of the oldest verification. Accounts that were never verified do not count.",
    advice:
      "Above `sweep.verifyEvery` by more than two sweeps: jobs do not finish. See the dead letters and `QueueAgeSeconds`.",
  },
  SecondsUntilExpiry: {
    unit: "Seconds",
    dimensions: ["Account"],
    total: true,
    when: "At the end of a sweep, with `service` alone: the soonest expiry of all accounts. At the end of a job, with `Account`: the account's expiry, for critical accounts in high resolution; `metrics.perAccount` selects the accounts. Negative after the expiry.",
    advice: "Low: `relight plan ACCOUNT` says why the account was not renewed.",
  },
  JobsFinished: {
    unit: "Count",
    dimensions: ["Outcome"],
    total: true,
    when: "1 at the end of each job. `Outcome` is the job's outcome, `again` after an error that a retry may fix, or `failed` after any other error.",
    advice:
      "`failed`, `refused` or `escalated`: a person was paged. `unhealed`: nobody could be. Many `again`: the cluster or AWS is hard to reach.",
  },
  Verdicts: {
    unit: "Count",
    dimensions: ["Verdict"],
    total: false,
    when: "1 at the end of each job that reached a verdict, with its last verdict.",
    advice: "`dead`: see the page. Many `unknown`: checks fail (`relight doctor`).",
  },
  RungsUsed: {
    unit: "Count",
    dimensions: ["Rung"],
    total: false,
    when: "At the end of a job: 1 for each remedy that was carried out, whether or not it helped. Refused and failed remedies do not count.",
    advice:
      "Often, except `renew`: something kills JetStream repeatedly. docs/recoveries.md says what each rung is for.",
  },
  Renewals: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 at the end of a job that renewed its account's claims and proved them in force.",
    advice: "Many at once: `relight plan --until 90d` shows the storm; a longer `renewBefore` spreads it.",
  },
  TimeToRecoverSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the end of a job that healed: the time from the first verdict of the outage to the healthy verdict. The time before Relight noticed the outage is not included.",
    advice:
      "High: the log of the slowest recovery (a query is above) says which rung took long, or that a person had to act.",
  },
  QueueAgeSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the start of each job from the queue: the age of its message.",
    advice: "Above 300: jobs arrive faster than they finish. See `JobsPostponed`, and how long jobs take.",
  },
  IncidentsOpened: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 when an incident is opened. Repeated pages do not count.",
    advice: "See the pages.",
  },
  IncidentsResolved: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 when the resolution of an incident was delivered.",
    advice: "Fewer than `IncidentsOpened`: something stays broken (`relight status`).",
  },
  EscalationUndeliverable: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 whenever no channel accepted a page.",
    advice:
      "1 or more: nobody was paged. The log line `escalation channel failed` says why; `relight status` shows what is wrong.",
  },
} as const satisfies Readonly<Record<string, MetricDescription>>;

export type MetricName = keyof typeof METRICS;

/** One value of one metric. */
export interface Measurement {
  readonly name: MetricName;
  readonly value: number;
  readonly dimensions?: Readonly<Partial<Record<Dimension, string>>>;
  /** Stored per second instead of per minute. */
  readonly highResolution?: boolean;
}

/** For which accounts `SecondsUntilExpiry` is emitted. Each account is a metric that costs money. */
export type PerAccount = "critical" | "all" | "none";

/** Whether to emit the measurement. */
export function isWanted({ dimensions, highResolution }: Measurement, perAccount: PerAccount): boolean {
  if (dimensions?.Account === undefined || perAccount === "all") return true;
  return perAccount === "critical" && highResolution === true;
}

/** What a sweep observed. Undefined means unknown. */
export interface SweepFacts {
  readonly seen?: number;
  readonly queued: number;
  readonly postponed?: number;
  readonly pastPage?: number;
  /** Age of the oldest verification. */
  readonly oldestUnverified?: Millis;
  readonly soonestExpiry?: EpochMillis;
}

export function measuresOfSweep(sweep: SweepFacts, now: EpochMillis): readonly Measurement[] {
  const { oldestUnverified: oldest, soonestExpiry: soonest } = sweep;
  return present([
    { name: "SweepFinished", value: 1 },
    { name: "AccountsSeen", value: sweep.seen },
    { name: "JobsQueued", value: sweep.queued },
    { name: "JobsPostponed", value: sweep.postponed },
    { name: "AccountsPastPage", value: sweep.pastPage },
    { name: "OldestUnverifiedSeconds", value: oldest === undefined ? undefined : oldest / 1_000 },
    { name: "SecondsUntilExpiry", value: soonest === undefined ? undefined : seconds(now, soonest) },
  ]);
}

/** The end of a job that reached a verdict. */
export interface JobFacts {
  readonly account: AccountId | string;
  readonly outcome: string;
  readonly rungs: readonly { readonly rung: string; readonly result: string }[];
  readonly verdict: Pick<Verdict, "health" | "observedAt">;
  /** ISO 8601, UTC; absent if the account does not expire or the expiry is unknown. */
  readonly expiresAt?: string;
  readonly critical?: boolean;
  /** When the outage was first observed, if this job healed the account; ISO 8601, UTC. */
  readonly unwellSince?: string;
  /** When the account was first observed healthy again; by default the time of the verdict. */
  readonly healthySince?: string;
}

export function measuresOfJob(job: JobFacts, now: EpochMillis): readonly Measurement[] {
  const { outcome, rungs, verdict, unwellSince, expiresAt, account: Account, critical = false } = job;
  const { healthySince = verdict.observedAt } = job;
  const until = expiresAt === undefined ? undefined : seconds(now, at(expiresAt));
  const took = unwellSince === undefined ? undefined : seconds(at(unwellSince), at(healthySince));
  const isRenewal = outcome === "renewed" || rungs.some((rung) => rung.rung === "renew" && isTaken(rung));
  return present([
    { name: "JobsFinished", value: 1, dimensions: { Outcome: outcome } },
    { name: "Verdicts", value: 1, dimensions: { Verdict: verdict.health } },
    ...rungs.filter(({ result }) => result !== "refused").map(({ rung }) => usedRung(rung)),
    { name: "Renewals", value: isRenewal ? 1 : undefined },
    { name: "TimeToRecoverSeconds", value: took },
    { name: "SecondsUntilExpiry", value: until, dimensions: { Account }, highResolution: critical },
  ]);
}

/** @param retryable whether a retry may fix the error that ended the job */
export function measuresOfFailedJob({ retryable }: { readonly retryable: boolean }): readonly Measurement[] {
  return [{ name: "JobsFinished", value: 1, dimensions: { Outcome: retryable ? "again" : "failed" } }];
}

/** For one page. The first page of an incident opens it. */
export function measuresOfPage(
  { status, first }: Pick<Incident, "status" | "first">,
  delivery: "delivered" | "undeliverable",
): readonly Measurement[] {
  const isDelivered = delivery === "delivered";
  return present([
    { name: "IncidentsOpened", value: status === "open" && first ? 1 : undefined },
    { name: "IncidentsResolved", value: status === "resolved" && isDelivered ? 1 : undefined },
    { name: "EscalationUndeliverable", value: isDelivered ? undefined : 1 },
  ]);
}

/** For one message of the queue. @param sentAt by the queue's clock; a slightly negative age counts as 0 */
export function measuresOfMessage(sentAt: EpochMillis, now: EpochMillis): readonly Measurement[] {
  return present([{ name: "QueueAgeSeconds", value: Math.max(0, seconds(sentAt, now)) }]);
}

const usedRung = (rung: string): Measurement => ({ name: "RungsUsed", value: 1, dimensions: { Rung: rung } });
const isTaken = ({ result }: { readonly result: string }): boolean => result !== "refused" && result !== "failed";

const at = (iso: string): EpochMillis => epochMillis(Date.parse(iso));
const seconds = (from: EpochMillis, to: EpochMillis): number => (to - from) / 1_000;

/** Unknown values are left out, because a zero would be a statement. */
function present(
  candidates: readonly (Omit<Measurement, "value"> & { readonly value: number | undefined })[],
): readonly Measurement[] {
  return candidates.flatMap(({ value, ...rest }) =>
    value === undefined || !Number.isFinite(value) ? [] : [{ ...rest, value }],
  );
}
