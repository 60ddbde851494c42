import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { type EntryKind, type JournalEntry, MAKES_KNOWN, nameSeen } from "../../../lib/domain/journal/journal.ts";
import { type LastJob, lastJobOf } from "../../../lib/domain/journal/last-job.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import type { EpochMillis } from "../../../lib/domain/time/time.ts";
import type { Clock } from "../../../lib/ports/clock.ts";
import type { Journal } from "../../../lib/ports/journal.ts";
import type { Leases } from "../../../lib/ports/leases.ts";

export interface FakeJournal extends Journal, Leases {
  /** Everything that was appended, oldest first. */
  readonly entries: readonly JournalEntry[];
  /** The holder of each key, including expired leases. */
  readonly leases: ReadonlyMap<string, { readonly holder: string; readonly until: EpochMillis }>;
}

export interface FakeJournalOptions {
  readonly scrub?: (value: JsonObject) => JsonObject;
  /** Keeps only the last of the entries that every look writes, and makes no copies: for years of entries. */
  readonly isForgetful?: boolean;
}

/** What every look writes; only an account's last one is ever read. */
const EVERY_LOOK: readonly EntryKind[] = ["job.started", "job.finished", "verdict"];

interface Kept {
  readonly at: number;
  readonly entry: JournalEntry;
  /** Computed once, because every sweep asks for it. */
  lastJob?: LastJob | undefined;
}

/** The journal and the leases in memory, under the same contract as the real ones. */
export function fakeJournal(
  clock: Pick<Clock, "now">,
  { scrub = (value) => value, isForgetful = false }: FakeJournalOptions = {},
): FakeJournal {
  const byAccount = new Map<string, Map<EntryKind, Kept[]>>();
  const leases = new Map<string, { holder: string; until: EpochMillis }>();
  const copy = <T>(value: T): T => (isForgetful ? value : structuredClone(value));
  let count = 0;

  const find = (kinds: readonly EntryKind[] | undefined, account?: string): Kept[] => {
    const logs = account === undefined ? [...byAccount.values()] : [byAccount.get(account) ?? new Map()];
    const found = logs.flatMap((log) => (kinds ?? [...log.keys()]).flatMap((kind) => log.get(kind) ?? []));
    return found.sort((one, other) => one.at - other.at);
  };

  return {
    get entries() {
      return find(undefined).map(({ entry }) => entry);
    },
    leases,
    append: async (entry) => {
      const kinds = byAccount.get(entry.account) ?? new Map<EntryKind, Kept[]>();
      byAccount.set(entry.account, kinds);
      const list = kinds.get(entry.kind) ?? [];
      kinds.set(entry.kind, list);
      if (isForgetful && EVERY_LOOK.includes(entry.kind)) list.length = 0;
      list.push({ at: count++, entry: copy({ ...entry, data: scrub(entry.data) }) });
    },
    read: async ({ account, job, kinds, limit = Number.MAX_SAFE_INTEGER }) => {
      const found = find(kinds, account);
      const matching = job === undefined ? found : found.filter(({ entry }) => entry.job === job);
      return copy(matching.slice(Math.max(0, matching.length - limit)).map(({ entry }) => entry));
    },
    accounts: async function* () {
      for (const [account, kinds] of byAccount) {
        const last = find(MAKES_KNOWN, account).at(-1);
        if (account === "-" || last === undefined) continue;
        const seen = kinds.get("claims.seen")?.at(-1)?.entry;
        const name = seen === undefined ? "" : nameSeen(seen.data);
        yield { account: account as AccountId, name, forgotten: last.entry.kind === "account.forgotten" };
      }
    },
    latest: async (accounts) =>
      new Map(
        accounts.flatMap((account) => {
          const last = find(["job.started", "job.finished"], account).at(-1);
          if (last === undefined) return [];
          last.lastJob ??= lastJobOf(last.entry);
          return last.lastJob === undefined ? [] : [[account, last.lastJob] as const];
        }),
      ),
    acquire: async (key, holder, lasts) => {
      const lease = leases.get(key);
      if (lease !== undefined && lease.holder !== holder && lease.until > clock.now()) return false;
      leases.set(key, { holder, until: (clock.now() + lasts) as EpochMillis });
      return true;
    },
    heldUntil: async (key) => {
      const until = leases.get(key)?.until;
      return until !== undefined && until > clock.now() ? until : undefined;
    },
    release: async (key, holder) => {
      if (leases.get(key)?.holder === holder) leases.delete(key);
    },
  };
}
