import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, isoTime, type Millis, millis } from "../time/time.ts";
import type { Incident } from "./incident.ts";

/**
 * What became of the page of an `incident.opened` entry. `undeliverable`: no channel accepted it. `logged`: no channel is
 * configured. `waiting`: nobody was paged yet.
 */
export type Delivery = "delivered" | "undeliverable" | "logged" | "waiting";

/** A time in which every check of an account, or of the whole cluster, was unknown. */
export interface UnknownPeriod {
  readonly began: EpochMillis;
  /** How many jobs or sweeps checked, including the current one. */
  readonly asked: number;
}

/**
 * The current unknown period. It begins with the first unknown verdict, or the first page of the class in the incident
 * `key`, after the last known verdict or resolution.
 * @param entries verdicts and incidents of one account, or of `-`, oldest first
 * @param job that checks now
 */
export function unknownPeriod(
  entries: readonly JournalEntry[],
  { key, failureClass }: Pick<Incident, "key" | "failureClass">,
  job: string,
  now: EpochMillis,
): UnknownPeriod {
  const isEnd = ({ kind, data }: JournalEntry): boolean =>
    (kind === "verdict" && data["verdict"] !== "unknown") || (kind === "incident.resolved" && data["key"] === key);
  const isPart = ({ kind, data }: JournalEntry): boolean =>
    kind === "verdict" || (kind === "incident.opened" && data["key"] === key && data["failureClass"] === failureClass);
  const period = entries.slice(entries.findLastIndex(isEnd) + 1).filter(isPart);
  const jobs = new Set([...period.map((entry) => entry.job), job]);
  return { began: period[0]?.at ?? now, asked: jobs.size };
}

/** Whether the period is long enough to page a person. A single unanswered request is not. */
export function hasLasted({ began }: UnknownPeriod, unknownAfter: Millis, now: EpochMillis): boolean {
  return millis(now - began) >= unknownAfter;
}

/** For people: `unknown since 2030-01-01 00:00 UTC, checked 3 times`. */
export function describePeriod({ began, asked }: UnknownPeriod): string {
  const since = isoTime(began).slice(0, 16).replace("T", " ");
  return `unknown since ${since} UTC, checked ${asked === 1 ? "once" : `${asked} times`}`;
}
