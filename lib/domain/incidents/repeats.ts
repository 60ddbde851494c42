import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import type { Incident } from "./incident.ts";

const MINUTE = 60_000;
/** The pauses after the first, second, … page about the same failure; the last one repeats. Milliseconds. */
const PAUSES: readonly Millis[] = [15, 60, 4 * 60, 12 * 60].map((minutes) => millis(minutes * MINUTE));

/** A page that could be sent now. */
export interface Telling {
  readonly key: string;
  readonly severity: Incident["severity"];
  /** Distinguishes failures with the same key. */
  readonly about: string | undefined;
  /** Whether to page again if nothing changed. */
  readonly repeats: boolean;
}

/** The incident's `incident.opened` entries since its last resolution; `entries` of one account, oldest first. */
export function openingsOf(entries: readonly JournalEntry[], key: string): readonly JournalEntry[] {
  const own = entries.filter(({ kind, data }) => kind.startsWith("incident.") && data["key"] === key);
  return own.slice(own.findLastIndex(({ kind }) => kind === "incident.resolved") + 1);
}

/**
 * Whether to page a person now. New and worsened failures are paged at once, the same failure only after a growing
 * pause. A failure that comes and goes while another one is open under the same key has its own pauses. Undelivered pages
 * do not count.
 * @param entries of one account, oldest first
 */
export function isToBeTold(entries: readonly JournalEntry[], telling: Telling, now: EpochMillis): boolean {
  const told = openingsOf(entries, telling.key).filter(({ data }) => data["delivery"] === "delivered");
  const same = told.filter(({ data }) => data["about"] === telling.about);
  const last = same.at(-1);
  if (last === undefined) return true;
  if (telling.severity === "critical" && last.data["severity"] === "warning") return true;
  if (!telling.repeats && told.at(-1) === last) return false;
  return now - last.at >= pauseAfter(same.length);
}

/** @param pages at least 1 */
function pauseAfter(pages: number): Millis {
  return PAUSES[Math.min(pages, PAUSES.length) - 1] ?? millis(0);
}
