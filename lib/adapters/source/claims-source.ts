import type { AccountId } from "../../domain/claims/account.ts";
import { preferredJwt, type SourceAccount } from "../../domain/claims/claims-source.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import type { ClaimsSource, SourceEntry } from "../../ports/source.ts";

export interface SourceSettings {
  readonly name: string;
  /** Reads all entries. */
  readonly entries: () => AsyncIterable<SourceEntry>;
  readonly operator: Operator;
}

type Found = Extract<SourceAccount, { state: "found" }>;

interface Index {
  readonly entries: readonly SourceEntry[];
  readonly accounts: ReadonlyMap<AccountId, readonly Found[]>;
  /** Unreadable entries, and the account that each seems to belong to, if known. */
  readonly problems: readonly { readonly text: string; readonly account: AccountId | undefined }[];
}

/**
 * A source of truth from a list of entries. The first lookup reads and caches it for the lifetime of this object; create
 * one per run, so the next run sees changes. A failed read is retried. Without lookups, listing only streams the entries,
 * because a sweep of many accounts must not keep them in memory.
 */
export function claimsSource({ name, entries, operator }: SourceSettings): ClaimsSource {
  let reading: Promise<Index> | undefined;
  const index = (): Promise<Index> => {
    reading ??= readAll(entries()).catch((error: unknown) => {
      reading = undefined;
      throw error;
    });
    return reading;
  };
  return {
    name,
    accounts: async function* () {
      yield* reading === undefined ? entries() : (await reading).entries;
    },
    lookup: async (account) => {
      const { accounts, problems } = await index();
      const best = preferredJwt(accounts.get(account) ?? [], operator);
      if (best !== undefined) return best;
      // An unreadable entry may be the requested JWT.
      const doubts = problems.filter((problem) => [undefined, account].includes(problem.account));
      if (doubts.length === 0) return { state: "absent" };
      return { state: "unclear", problem: doubts.map(({ text }) => text).join("; ") };
    },
  };
}

async function readAll(all: AsyncIterable<SourceEntry>): Promise<Index> {
  const entries: SourceEntry[] = [];
  const accounts = new Map<AccountId, Found[]>();
  const problems: { text: string; account: AccountId | undefined }[] = [];
  for await (const entry of all) {
    entries.push(entry);
    if (!entry.ok) {
      problems.push({ text: `${entry.place}: ${entry.problem}`, account: entry.account });
      continue;
    }
    const { token, document, signatureValid } = entry.jwt;
    const found: Found = { state: "found", claims: { document, signatureValid }, token, place: entry.place };
    const { sub } = document.claims;
    accounts.set(sub, [...(accounts.get(sub) ?? []), found]);
  }
  return { entries, accounts, problems };
}
