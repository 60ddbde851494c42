import type { AccountId } from "../claims/account.ts";
import type { Incident } from "../incidents/incident.ts";
import { type EpochMillis, epochMillis, type Millis } from "../time/time.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { EmittedName } from "./catalogue.ts";
import type { Dimension } from "./forms.ts";

/** One value of one metric. */
export interface Measurement {
  readonly name: EmittedName;
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
