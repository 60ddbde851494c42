import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import type { Incident } from "./incident.ts";

const MINUTE = 60_000;
/** The pauses after the first, second, … page about the same failure; the last one repeats. Milliseconds. */
const PAUSES: readonly Millis[] = [15, 60, 4 * 60, 12 * 60].map((minutes) => millis(minutes * MINUTE));

/** A page that could be sent now. */
export interface PageCandidate {
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
export function shouldPage(entries: readonly JournalEntry[], candidate: PageCandidate, now: EpochMillis): boolean {
  const delivered = openingsOf(entries, candidate.key).filter(({ data }) => data["delivery"] === "delivered");
  const same = delivered.filter(({ data }) => data["about"] === candidate.about);
  const last = same.at(-1);
  if (last === undefined) return true;
  if (candidate.severity === "critical" && last.data["severity"] === "warning") return true;
  if (!candidate.repeats && delivered.at(-1) === last) return false;
  return now - last.at >= pauseAfter(same.length);
}

/** @param pages at least 1 */
function pauseAfter(pages: number): Millis {
  return PAUSES[Math.min(pages, PAUSES.length) - 1] ?? millis(0);
}
