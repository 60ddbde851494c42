import type { AccountId } from "../../domain/claims/account.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal } from "../../ports/journal.ts";

/** The maximum number of verdicts to read. A longer outage counts from the first of them. */
const LATEST_VERDICTS = 100;

/** The newest verdicts, oldest first. If the journal has removed older ones, an outage only looks shorter. */
export function latestVerdicts(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["verdict"], limit: LATEST_VERDICTS });
}
