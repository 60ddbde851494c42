import type { JournalEntry } from "./journal.ts";
import type { EpochMillis } from "./time.ts";

/**
 * When the account's last spell of not being healthy was first seen; undefined if there was none. What was dead before
 * anybody looked is not in it.
 * @param entries the account's verdicts, oldest first, to the healthy one that ended the spell
 */
export function unwellSince(entries: readonly JournalEntry[]): EpochMillis | undefined {
  const isHealthy = ({ data }: JournalEntry): boolean => data["verdict"] === "healthy";
  const verdicts = entries.filter(({ kind }) => kind === "verdict");
  const spell = verdicts.slice(0, verdicts.findLastIndex((entry) => !isHealthy(entry)) + 1);
  return spell[spell.findLastIndex(isHealthy) + 1]?.at;
}
