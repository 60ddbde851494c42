import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import type { Incident } from "./incident.ts";

const MINUTE = 60_000;
/** How long after its first, second, … page one trouble is told again; the last pause lasts. Milliseconds. */
const PAUSES: readonly Millis[] = [15, 60, 4 * 60, 12 * 60].map((minutes) => millis(minutes * MINUTE));

/** What would be told now. */
export interface Telling {
  readonly key: string;
  readonly severity: Incident["severity"];
  /** What tells this trouble from another of the same key. */
  readonly about: string | undefined;
  /** Whether it is told again though nothing changed. */
  readonly repeats: boolean;
}

/** The openings of an incident since it was last resolved; `entries` of one account, oldest first. */
export function openingsOf(entries: readonly JournalEntry[], key: string): readonly JournalEntry[] {
  const own = entries.filter(({ kind, data }) => kind.startsWith("incident.") && data["key"] === key);
  return own.slice(own.findLastIndex(({ kind }) => kind === "incident.resolved") + 1);
}

/**
 * Whether a person is to be told now. What is new, and what has become worse, is told at once; the same trouble
 * again only after a pause that grows each time, so a trouble that comes and goes while another is open under
 * the same key has pauses of its own. What reached nobody counts for nothing.
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

/** The pause after so many pages, one at least. */
function pauseAfter(pages: number): Millis {
  return PAUSES[Math.min(pages, PAUSES.length) - 1] ?? millis(0);
}
