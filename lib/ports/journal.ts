import type { AccountId } from "../domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../domain/journal/journal.ts";
import type { LastJob } from "../domain/journal/last-job.ts";

export interface JournalQuery {
  readonly account?: AccountId | "-";
  readonly job?: string;
  readonly kinds?: readonly EntryKind[];
  /** At most this many, the newest. */
  readonly limit?: number;
}

/** An account that the journal knows. */
export interface JournalledAccount {
  readonly account: AccountId;
  /** Empty if the claims have none. */
  readonly name: string;
  /** A person marked it as gone for good, and it has not been in force since. */
  readonly forgotten: boolean;
}

/** The append-only record of everything that Relight saw and did. */
export interface Journal {
  /** Returns once the entry is stored. @throws RelightError `journal.unavailable` */
  append(entry: JournalEntry): Promise<void>;
  /**
   * Matching entries, oldest first in the order of appending. If clocks differ, the order holds only among entries of jobs,
   * among incidents, and among orders. Name an account if possible.
   */
  read(query: JournalQuery): Promise<readonly JournalEntry[]>;
  /**
   * Every account whose claims were ever in force or whose deletion was noticed, once, with the name in its newest claims.
   * Streams the accounts without keeping entries in memory.
   */
  accounts(): AsyncIterable<JournalledAccount>;
  /**
   * The newest job on each account, if it ever had one. May be missing or outdated, but an older job never replaces a newer
   * one. Only a hint for where to check, never proof.
   */
  latest(accounts: readonly AccountId[]): Promise<ReadonlyMap<AccountId, LastJob>>;
}
