import type { AccountId } from "../../lib/domain/claims/account.ts";
import {
  type EntryKind,
  type JournalEntry,
  MAKES_KNOWN,
  nameSeen,
} from "../../lib/domain/journal/journal.ts";
import { type LastJob, lastJobOf } from "../../lib/domain/journal/last-job.ts";
import { type EpochMillis, epochMillis } from "../../lib/domain/time/time.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Journal } from "../../lib/ports/journal.ts";
import type { Leases } from "../../lib/ports/leases.ts";

/** What every look writes; of these only the last of an account is ever read back. */
const EVERY_LOOK: readonly EntryKind[] = ["job.started", "job.finished", "verdict"];

interface Kept {
  readonly at: number;
  readonly entry: JournalEntry;
  /** Worked out once: every sweep asks for it. */
  lastJob?: LastJob | undefined;
}

/**
 * A journal for years of entries: by account and kind, without copies. With `forgetful` it keeps only the last of what
 * every look writes.
 */
export function simulatedJournal(clock: Clock, forgetful = true): Journal & Leases {
  const accounts = new Map<string, Map<EntryKind, Kept[]>>();
  const leases = new Map<string, { holder: string; until: EpochMillis }>();
  let count = 0;
  return {
    append: async (entry) => {
      const kinds = accounts.get(entry.account) ?? new Map<EntryKind, Kept[]>();
      accounts.set(entry.account, kinds);
      const list = kinds.get(entry.kind) ?? [];
      kinds.set(entry.kind, list);
      if (forgetful && EVERY_LOOK.includes(entry.kind)) list.length = 0;
      list.push({ at: count++, entry: forgetful ? entry : structuredClone(entry) });
    },
    read: async ({ account, job, kinds, limit = Number.MAX_SAFE_INTEGER }) => {
      const logs = account === undefined ? [...accounts.values()] : [accounts.get(account) ?? new Map()];
      const found = logs.flatMap((log) => (kinds ?? [...log.keys()]).flatMap((kind) => log.get(kind) ?? []));
      const fitting = job === undefined ? found : found.filter(({ entry }) => entry.job === job);
      fitting.sort((one, other) => one.at - other.at);
      const newest = fitting.slice(Math.max(0, fitting.length - limit)).map(({ entry }) => entry);
      return forgetful ? newest : structuredClone(newest);
    },
    accounts: async function* () {
      for (const [account, kinds] of accounts) {
        const last = MAKES_KNOWN.flatMap((kind) => kinds.get(kind)?.at(-1) ?? [])
          .sort((a, b) => a.at - b.at)
          .at(-1);
        if (account === "-" || last === undefined) continue;
        const seen = kinds.get("claims.seen")?.at(-1)?.entry;
        const forgotten = last.entry.kind === "account.forgotten";
        yield {
          account: account as AccountId,
          name: seen === undefined ? "" : nameSeen(seen.data),
          forgotten,
        };
      }
    },
    latest: async (asked) =>
      new Map(
        asked.flatMap((account) => {
          const kinds = accounts.get(account);
          const started = kinds?.get("job.started")?.at(-1);
          const finished = kinds?.get("job.finished")?.at(-1);
          const last = (started?.at ?? -1) > (finished?.at ?? -1) ? started : finished;
          if (last === undefined) return [];
          last.lastJob ??= lastJobOf(last.entry);
          return last.lastJob === undefined ? [] : [[account, last.lastJob] as const];
        }),
      ),
    acquire: async (key, holder, lasts) => {
      const lease = leases.get(key);
      if (lease !== undefined && lease.holder !== holder && lease.until > clock.now()) return false;
      leases.set(key, { holder, until: epochMillis(clock.now() + lasts) });
      return true;
    },
    release: async (key, holder) => {
      if (leases.get(key)?.holder === holder) leases.delete(key);
    },
  };
}
