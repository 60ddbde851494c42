import type { JournalEntry } from "../journal/journal.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import type { Incident } from "./incident.ts";

const MINUTE = 60_000;
/** The pauses after the first, second, … page about the same failure; the last one repeats. Milliseconds. */
const PAUSES: readonly Millis[] = [15, 60, 4 * 60, 12 * 60].map((minutes) => millis(minutes * MINUTE));

/** A page that could be sent now. */
export interface PageCandidate extends Pick<Incident, "key" | "severity" | "failureClass"> {
  /** Distinguishes failures of the same class. */
  readonly about: string | undefined;
  /** Whether to page again if nothing changed. */
  readonly repeats: boolean;
  /** Whether a channel is configured; by default yes. Pages that were only logged before there was one do not count then. */
  readonly hasChannels?: boolean;
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
  const delivered = deliveredOf(entries, candidate);
  const same = sameOf(delivered, candidate);
  const last = same.at(-1);
  if (last === undefined) return true;
  if (candidate.severity === "critical" && last.data["severity"] === "warning") return true;
  if (!candidate.repeats && delivered.at(-1) === last) return false;
  return now - last.at >= pauseAfter(same.length);
}

/** The pages of the incident that reached a person. */
function deliveredOf(
  entries: readonly JournalEntry[],
  { key, hasChannels = true }: PageCandidate,
): readonly JournalEntry[] {
  const counts = hasChannels ? ["delivered"] : ["delivered", "logged"];
  return openingsOf(entries, key).filter(({ data }) => counts.includes(String(data["delivery"])));
}

function sameOf(delivered: readonly JournalEntry[], { failureClass, about }: PageCandidate): readonly JournalEntry[] {
  return delivered.filter(({ data }) => data["failureClass"] === failureClass && data["about"] === about);
}

/** @param pages at least 1 */
function pauseAfter(pages: number): Millis {
  return PAUSES[Math.min(pages, PAUSES.length) - 1] ?? millis(0);
}
