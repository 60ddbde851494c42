import type { AccountId } from "../claims/account.ts";
import type { Incident } from "../incidents/incident.ts";
import { type EpochMillis, epochMillis, type Millis } from "../time/time.ts";
import type { Verdict } from "../verdict/verdict.ts";

/** What tells series of one metric apart, beside `service`, which each has. */
export type Dimension = "Outcome" | "Verdict" | "Rung" | "Account";

export interface MetricDescription {
  readonly unit: "Count" | "Seconds";
  /** With these dimensions, if with any. */
  readonly dimensions: readonly Dimension[];
  /** Whether it is (also) emitted with `service` alone: what alarms look at. */
  readonly total: boolean;
  /** When a value is emitted, and what it says. */
  readonly when: string;
  /** What to do when it is not as it should be. */
  readonly act: string;
}

/**
 * Every metric that Relight emits. docs/observability.md is made of this, and the alarms and the dashboard of the
 * stack name nothing that is not here; tests keep both so.
 */
export const METRICS = {
  SweepFinished: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 at the end of each sweep that saw all accounts; nothing if it failed.",
    act: "Missing for 15 minutes: no sweep ends. See the errors of `sweep` in its log; renewals wait meanwhile.",
  },
  AccountsSeen: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: how many accounts it met, whether or not a job was due.",
    act: "A fall that nobody ordered: `relight status` names what the resolver lost.",
  },
  JobsQueued: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: for how many accounts it queued a job.",
    act: "As many as accounts, sweep after sweep: none stays healthy for long enough to be left alone. The log line `a job began` says why each was due.",
  },
  JobsPostponed: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: how many due jobs it left to the next one, since enough are waiting.",
    act: "Above 0 for an hour: jobs come faster than they are done. See `QueueAgeSeconds` and raise `maximumConcurrency`.",
  },
  AccountsPastPage: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: how many accounts are past the page threshold of their policy.",
    act: "1 or more: an account is about to expire, or has. `relight status` names it; `relight renew ACCOUNT` renews it.",
  },
  OldestUnverifiedSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the end of a sweep: how long the account that waits longest was not verified, of those that ever were.",
    act: "Above `sweep.verifyEvery` by more than two sweeps: jobs are not done. See the dead letters and `QueueAgeSeconds`.",
  },
  SecondsUntilExpiry: {
    unit: "Seconds",
    dimensions: ["Account"],
    total: true,
    when: "At the end of a sweep with `service` alone: the soonest expiry of all accounts. At the end of a job with `Account`: that account's, of critical accounts by the second; which accounts, `metrics.perAccount` says. Negative once expired.",
    act: "Low: `relight plan ACCOUNT` says why it was not renewed yet.",
  },
  JobsFinished: {
    unit: "Count",
    dimensions: ["Outcome"],
    total: true,
    when: "1 at the end of each job. `Outcome` is the job's, `failed` for one that a person must mend, `again` for one that ends with an error that trying again can mend.",
    act: "`failed`, `refused` or `escalated`: a person was called. Many `again`: the cluster or AWS is hard to reach.",
  },
  Verdicts: {
    unit: "Count",
    dimensions: ["Verdict"],
    total: false,
    when: "1 at the end of each job that saw its account, with its last verdict.",
    act: "`dead`: see the page. Many `unknown`: the look itself fails (`relight doctor`).",
  },
  RungsUsed: {
    unit: "Count",
    dimensions: ["Rung"],
    total: false,
    when: "At the end of a job: 1 for each remedy that it took, whatever came of it; refused ones are none.",
    act: "Any but `renew`, often: something kills JetStream again and again. docs/recoveries.md tells what each is for.",
  },
  Renewals: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 at the end of a job that renewed its account's claims and proved them in force.",
    act: "Many at once: `relight plan --until 90d` shows the storm, `renewBefore` spreads it.",
  },
  TimeToRecoverSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the end of a job that healed: from Relight's first verdict that was not healthy since its last healthy one, to the verdict that is healthy. What was dead before Relight looked is not in it.",
    act: "High: the log of the slowest (a query is below) tells which rung took the time, or that a person had to.",
  },
  QueueAgeSeconds: {
    unit: "Seconds",
    dimensions: [],
    total: true,
    when: "At the start of each job that came through the queue: how long its message was in the queue.",
    act: "Above 300: more jobs than are done. See `JobsPostponed`, and the time that jobs take.",
  },
  IncidentsOpened: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 when an incident is opened; repetitions do not count.",
    act: "See the pages.",
  },
  IncidentsResolved: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 when an incident was resolved and that was delivered.",
    act: "Fewer than opened: something stays broken (`relight status`).",
  },
  EscalationUndeliverable: {
    unit: "Count",
    dimensions: [],
    total: true,
    when: "1 whenever no channel took a page.",
    act: "1 or more: nobody was called. The log line `escalation channel failed` tells why; `relight status` tells what about.",
  },
} as const satisfies Readonly<Record<string, MetricDescription>>;

export type MetricName = keyof typeof METRICS;

/** One value of one metric. */
export interface Measurement {
  readonly name: MetricName;
  readonly value: number;
  readonly dimensions?: Readonly<Partial<Record<Dimension, string>>>;
  /** Kept by the second, not by the minute. */
  readonly highResolution?: boolean;
}

/** Of which accounts `SecondsUntilExpiry` is emitted; each is a metric that costs money. */
export type PerAccount = "critical" | "all" | "none";

/** Whether it is to be emitted at all. */
export function isWanted({ dimensions, highResolution }: Measurement, perAccount: PerAccount): boolean {
  if (dimensions?.Account === undefined || perAccount === "all") return true;
  return perAccount === "critical" && highResolution === true;
}

/** What a sweep saw; what is undefined nobody knows. */
export interface SweepFacts {
  readonly seen?: number;
  readonly queued: number;
  readonly postponed?: number;
  readonly pastPage?: number;
  /** For how long the account that waits longest was not verified. */
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

/** How a job ended that saw its account. */
export interface JobFacts {
  readonly account: AccountId | string;
  readonly outcome: string;
  readonly rungs: readonly { readonly rung: string; readonly result: string }[];
  readonly verdict: Pick<Verdict, "verdict" | "observedAt">;
  /** ISO 8601, UTC; absent where it does not expire or nobody knows. */
  readonly expiresAt?: string;
  readonly critical?: boolean;
  /** When the account was first seen not to be healthy, if this job healed it; ISO 8601, UTC. */
  readonly unwellSince?: string;
  /** When it was first seen to be healthy again; that of the verdict by default. */
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
    { name: "Verdicts", value: 1, dimensions: { Verdict: verdict.verdict } },
    ...rungs.filter(({ result }) => result !== "refused").map(({ rung }) => usedRung(rung)),
    { name: "Renewals", value: isRenewal ? 1 : undefined },
    { name: "TimeToRecoverSeconds", value: took },
    { name: "SecondsUntilExpiry", value: until, dimensions: { Account }, highResolution: critical },
  ]);
}

/** @param retryable whether trying again can mend the error that ended it */
export function measuresOfFailedJob({ retryable }: { readonly retryable: boolean }): readonly Measurement[] {
  return [{ name: "JobsFinished", value: 1, dimensions: { Outcome: retryable ? "again" : "failed" } }];
}

/** Of one page, delivered to any channel or to none. The first page of an incident is the one that opens it. */
export function measuresOfPage(
  { status, since, at: made, first }: Pick<Incident, "status" | "since" | "at" | "first">,
  delivery: "delivered" | "undeliverable",
): readonly Measurement[] {
  const isDelivered = delivery === "delivered";
  return present([
    { name: "IncidentsOpened", value: status === "open" && (first || since === made) ? 1 : undefined },
    { name: "IncidentsResolved", value: status === "resolved" && isDelivered ? 1 : undefined },
    { name: "EscalationUndeliverable", value: isDelivered ? undefined : 1 },
  ]);
}

/** Of one message of the queue. @param sentAt by the queue's own clock, so a little before 0 is possible: that is 0 */
export function measuresOfMessage(sentAt: EpochMillis, now: EpochMillis): readonly Measurement[] {
  return present([{ name: "QueueAgeSeconds", value: Math.max(0, seconds(sentAt, now)) }]);
}

const usedRung = (rung: string): Measurement => ({ name: "RungsUsed", value: 1, dimensions: { Rung: rung } });
const isTaken = ({ result }: { readonly result: string }): boolean =>
  result !== "refused" && result !== "failed";

const at = (iso: string): EpochMillis => epochMillis(Date.parse(iso));
const seconds = (from: EpochMillis, to: EpochMillis): number => (to - from) / 1_000;

/** What is not known is not measured: a zero would be a claim. */
function present(
  candidates: readonly (Omit<Measurement, "value"> & { readonly value: number | undefined })[],
): readonly Measurement[] {
  return candidates.flatMap(({ value, ...rest }) =>
    value === undefined || !Number.isFinite(value) ? [] : [{ ...rest, value }],
  );
}
