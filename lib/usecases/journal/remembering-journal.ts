import type { AccountId } from "../../domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal, JournalQuery } from "../../ports/journal.ts";

interface Remembered {
  readonly kinds: readonly EntryKind[];
  readonly answer: Promise<readonly JournalEntry[]>;
}

/**
 * The journal for one job on one account, which asks for the same entries at every look. What was read of the
 * account's entries by kind is remembered until the job appends one of these kinds. That holds while the job has the
 * account's lease: what others write without it (`job.requested`, by a person's order) no job reads. Everything else,
 * the cluster's own entries first of all, is read anew each time.
 * @param lost aborted when the lease was lost: from then on nothing is remembered
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
        // Read meanwhile, it may lack the entry; and an append that failed may have arrived all the same.
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

/** `watch` writes down a deletion without the lease, and a push asks for it at the last moment. */
const isRememberable = ({ account, job, kinds }: JournalQuery, own: AccountId): boolean =>
  account === own && job === undefined && !(kinds?.length === 1 && kinds[0] === "account.deleted");
