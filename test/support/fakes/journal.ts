import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { type JournalEntry, makesKnown, nameSeen } from "../../../lib/domain/journal/journal.ts";
import { lastJobOf } from "../../../lib/domain/journal/last-job.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import type { EpochMillis } from "../../../lib/domain/time/time.ts";
import type { Clock } from "../../../lib/ports/clock.ts";
import type { Journal } from "../../../lib/ports/journal.ts";
import type { Leases } from "../../../lib/ports/leases.ts";

export interface FakeJournal extends Journal, Leases {
  /** All that was appended, oldest first. */
  readonly entries: readonly JournalEntry[];
  /** Who holds which key, expired leases included. */
  readonly leases: ReadonlyMap<string, { readonly holder: string; readonly until: EpochMillis }>;
}

/** The journal and the leases in memory; keeps the same contract as the real ones. */
export function fakeJournal(
  clock: Clock,
  scrub: (value: JsonObject) => JsonObject = (value) => value,
): FakeJournal {
  const entries: JournalEntry[] = [];
  const leases = new Map<string, { holder: string; until: EpochMillis }>();
  return {
    entries,
    leases,
    append: async (entry) => {
      entries.push(structuredClone({ ...entry, data: scrub(entry.data) }));
    },
    read: async ({ account, job, kinds, limit = entries.length }) => {
      const matching = entries.filter(
        (entry) =>
          (account === undefined || entry.account === account) &&
          (job === undefined || entry.job === job) &&
          (kinds === undefined || kinds.includes(entry.kind)),
      );
      return structuredClone(matching.slice(Math.max(0, matching.length - limit)));
    },
    accounts: async function* () {
      const known = new Map<AccountId, { name: string; forgotten: boolean }>();
      for (const { account, kind, data } of entries) {
        if (account === "-" || !makesKnown(kind)) continue;
        const name = kind === "claims.seen" ? nameSeen(data) : (known.get(account)?.name ?? "");
        known.set(account, { name, forgotten: kind === "account.forgotten" });
      }
      for (const [account, found] of known) yield { account, ...found };
    },
    latest: async (accounts) =>
      new Map(
        accounts.flatMap((account) => {
          const own = entries.filter((entry) => entry.account === account);
          const lastJob = own.map(lastJobOf).findLast((found) => found !== undefined);
          return lastJob === undefined ? [] : [[account, lastJob] as const];
        }),
      ),
    acquire: async (key, holder, lasts) => {
      const lease = leases.get(key);
      if (lease !== undefined && lease.holder !== holder && lease.until > clock.now()) return false;
      leases.set(key, { holder, until: (clock.now() + lasts) as EpochMillis });
      return true;
    },
    release: async (key, holder) => {
      if (leases.get(key)?.holder === holder) leases.delete(key);
    },
  };
}
