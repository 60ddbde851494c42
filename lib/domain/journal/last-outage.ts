import { defined } from "../time/defined.ts";
import type { EpochMillis } from "../time/time.ts";
import type { JournalEntry } from "./journal.ts";

/** A time in which no check found the account healthy. */
export interface Outage {
  /** The first such check. The outage itself may have begun earlier. */
  readonly began: EpochMillis;
  /** The first check that found it healthy again; absent while the outage lasts. */
  readonly ended?: EpochMillis;
}

/**
 * The account's last outage; undefined if there was none.
 * @param entries the account's verdicts, oldest first
 */
export function lastOutage(entries: readonly JournalEntry[]): Outage | undefined {
  const isHealthy = ({ data }: JournalEntry): boolean => data["verdict"] === "healthy";
  const verdicts = entries.filter(({ kind }) => kind === "verdict");
  const last = verdicts.findLastIndex((entry) => !isHealthy(entry));
  const outage = verdicts.slice(0, last + 1);
  const began = outage[outage.findLastIndex(isHealthy) + 1]?.at;
  const ended = verdicts[last + 1]?.at;
  if (began === undefined) return undefined;
  return { began, ...defined({ ended }) };
}
