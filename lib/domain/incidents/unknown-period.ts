import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, isoTime, type Millis, millis } from "../time/time.ts";
import { openingsOf } from "./repeats.ts";

/** How it went with calling a person, in `incident.opened`; `waiting`: nobody was called yet. */
export type Delivery = "delivered" | "undeliverable" | "waiting";

/** A time in which everybody who looked, at an account or at the whole cluster, saw nothing certain. */
export interface UnknownPeriod {
  readonly began: EpochMillis;
  /** How many jobs or sweeps looked, the present one included. */
  readonly asked: number;
}

/**
 * The period that lasts until now: from the first unknown verdict, or the first opening of the incident `key`, without a
 * known verdict, or the incident's end, in between.
 * @param entries verdicts and incidents of one account, or of `-`, oldest first
 * @param job that looks now
 */
export function unknownPeriod(
  entries: readonly JournalEntry[],
  key: string,
  job: string,
  now: EpochMillis,
): UnknownPeriod {
  const isEnd = ({ kind, data }: JournalEntry): boolean =>
    (kind === "verdict" && data["verdict"] !== "unknown") ||
    (kind === "incident.resolved" && data["key"] === key);
  const isPart = ({ kind, data }: JournalEntry): boolean =>
    kind === "verdict" || (kind === "incident.opened" && data["key"] === key);
  const period = entries.slice(entries.findLastIndex(isEnd) + 1).filter(isPart);
  const jobs = new Set([...period.map((entry) => entry.job), job]);
  return { began: period[0]?.at ?? now, asked: jobs.size };
}

/** Whether it has lasted so long that a person is called: one question that nobody answered calls nobody. */
export function hasLasted({ began }: UnknownPeriod, unknownAfter: Millis, now: EpochMillis): boolean {
  return millis(now - began) >= unknownAfter;
}

/** For people: `not known since 2030-01-01 00:00 UTC, asked 3 times`. */
export function describePeriod({ began, asked }: UnknownPeriod): string {
  const since = isoTime(began).slice(0, 16).replace("T", " ");
  return `not known since ${since} UTC, asked ${asked === 1 ? "once" : `${asked} times`}`;
}

/** Whether nobody was called about the incident since it was last resolved; `entries` of one account, oldest first. */
export function isOnlyWaiting(entries: readonly JournalEntry[], key: string): boolean {
  return openingsOf(entries, key).every(({ data }) => data["delivery"] === ("waiting" satisfies Delivery));
}
