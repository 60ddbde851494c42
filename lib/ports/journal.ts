import type { AccountId } from "../domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../domain/journal/journal.ts";
import type { LastJob } from "../domain/journal/last-job.ts";

export interface JournalQuery {
  readonly account?: AccountId | "-";
  readonly job?: string;
  readonly kinds?: readonly EntryKind[];
  /** At most this many, the newest ones. */
  readonly limit?: number;
}

/** An account that the journal knows. */
export interface JournalledAccount {
  readonly account: AccountId;
  /** Empty where the claims have none. */
  readonly name: string;
  /** A person said that it is gone for good, and it was not seen in force since. */
  readonly forgotten: boolean;
}

/** The append-only record of all that was seen and done. */
export interface Journal {
  /** Returns once the entry is safe. @throws RelightError `journal.unavailable` */
  append(entry: JournalEntry): Promise<void>;
  /**
   * Matching entries of an account, oldest first in the order of appending; where clocks differ that holds among what
   * jobs on accounts write, among incidents, and among orders. Name an account where you can.
   */
  read(query: JournalQuery): Promise<readonly JournalEntry[]>;
  /**
   * The accounts whose claims were ever seen in force, or whose deletion was, each once, with the name in the newest of
   * these claims; as they come, and none of their entries is held.
   */
  accounts(): AsyncIterable<JournalledAccount>;
  /**
   * How the newest job on each account stands, for any number of accounts; none for one that never had a job.
   * It may be lost or late, never older over newer: it says where to look, and is no proof.
   */
  latest(accounts: readonly AccountId[]): Promise<ReadonlyMap<AccountId, LastJob>>;
}
