import type { AccountId } from "../../domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal, JournalQuery } from "../../ports/journal.ts";

interface Remembered {
  readonly kinds: readonly EntryKind[];
  readonly answer: Promise<readonly JournalEntry[]>;
}

/**
 * Caches journal reads of one job on one account, which needs the same entries at every check. Reads by kind are cached
 * until the job appends an entry of that kind. This works while the job holds the account's lease, because jobs do not
 * read what others write without it (`job.requested`). Everything else, such as the cluster's entries, is read each time.
 * @param lost aborted when the lease is lost: from then on nothing is cached
 */
export function rememberingJournal(journal: Journal, account: AccountId, lost: AbortSignal): Journal {
  const remembered = new Map<string, Remembered>();
  const forget = ({ account: of, kind }: JournalEntry): void => {
    if (of !== account) return;
    for (const [key, { kinds }] of remembered) if (kinds.includes(kind)) remembered.delete(key);
  };
  return {
    append: async (entry) => {
      forget(entry);
      try {
        await journal.append(entry);
      } finally {
        // A concurrent read may lack the entry, and a failed append may have arrived anyway.
        forget(entry);
      }
    },
    read: (query) => {
      const kinds = query.kinds;
      if (lost.aborted || kinds === undefined || !isRememberable(query, account)) return journal.read(query);
      const key = JSON.stringify([query.limit ?? "all", ...kinds]);
      const known = remembered.get(key);
      if (known !== undefined) return known.answer;
      const asked = { kinds, answer: journal.read(query) };
      remembered.set(key, asked);
      asked.answer.catch(() => remembered.get(key) === asked && remembered.delete(key));
      return asked.answer;
    },
    latest: (accounts) => journal.latest(accounts),
    accounts: () => journal.accounts(),
  };
}

/** Not deletions: `watch` writes them without the lease, and a push checks for them at the last moment. */
const isRememberable = ({ account, job, kinds }: JournalQuery, own: AccountId): boolean =>
  account === own && job === undefined && !(kinds?.length === 1 && kinds[0] === "account.deleted");
