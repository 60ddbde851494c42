import type { AccountId } from "../../domain/claims/account.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal } from "../../ports/journal.ts";

/** An outage of more verdicts than this began at least as long ago as the first of them. */
const LATEST_VERDICTS = 100;

/**
 * The newest verdicts, oldest first. The journal may have given up what came before: that only makes what they tell of
 * shorter.
 */
export function latestVerdicts(journal: Journal, account: AccountId): Promise<readonly JournalEntry[]> {
  return journal.read({ account, kinds: ["verdict"], limit: LATEST_VERDICTS });
}
