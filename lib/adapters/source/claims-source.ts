import type { AccountId } from "../../domain/claims/account.ts";
import { bestSourced, type Sourced } from "../../domain/claims/claims-source.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import type { ClaimsSource, SourceEntry } from "../../ports/source.ts";

export interface SourceSettings {
  readonly name: string;
  /** Reads everything there is. */
  readonly entries: () => AsyncIterable<SourceEntry>;
  readonly operator: Operator;
}

type Found = Extract<Sourced, { state: "found" }>;

interface Index {
  readonly entries: readonly SourceEntry[];
  readonly accounts: ReadonlyMap<AccountId, readonly Found[]>;
  /** What can't be read, and of which account it seems to be; undefined: of any. */
  readonly problems: readonly { readonly text: string; readonly account: AccountId | undefined }[];
}

/**
 * A source of truth over whatever can list its entries. It is read once in this object's life for all look-ups, on
 * the first: make one per run, and a changed JWT is seen by the next. A failed reading is tried again. Until there
 * was a look-up, listing streams what is there and keeps nothing: a sweep asks for no account by itself.
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
      const best = bestSourced(accounts.get(account) ?? [], operator);
      if (best !== undefined) return best;
      // What can't be read may be the very JWT that is looked for.
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
