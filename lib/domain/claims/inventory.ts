import { mostSimilar } from "../time/similar.ts";
import type { AccountId } from "./account.ts";

/** Where an account is known from. For its name, earlier places win. */
export const PLACES = ["configuration", "resolver", "source", "servers", "journal"] as const;
export type Place = (typeof PLACES)[number];

/** An account that at least one place knows. */
export interface KnownAccount {
  readonly account: AccountId;
  /** In the order of {@link PLACES}. */
  readonly from: readonly Place[];
  /** The account's name in each of these places, if it has one. */
  readonly names: Readonly<Partial<Record<Place, string>>>;
}

/** One place's knowledge of an account. */
export interface Mention {
  readonly account: AccountId;
  readonly place: Place;
  readonly name?: string | undefined;
}

/** Collects mentions one by one. Keeps only ids and names in memory. */
export interface Inventory {
  add(mention: Mention): void;
  /** In order of their first mention. */
  accounts(): readonly KnownAccount[];
}

export function newInventory(): Inventory {
  const known = new Map<AccountId, { account: AccountId; from: Place[]; names: Partial<Record<Place, string>> }>();
  return {
    add: ({ account, place, name }) => {
      const entry = known.get(account) ?? { account, from: [], names: {} };
      known.set(account, entry);
      if (!entry.from.includes(place)) entry.from.push(place);
      if (name) entry.names[place] = name;
    },
    accounts: () => {
      const found = [...known.values()];
      for (const { from } of found) if (from.length > 1) from.sort((one, other) => rankOf(one) - rankOf(other));
      return found;
    },
  };
}

const rankOf = (place: Place): number => PLACES.indexOf(place);

/** Merges the mentions, in order of the first one of each account. */
export function inventoryOf(mentions: Iterable<Mention>): readonly KnownAccount[] {
  const inventory = newInventory();
  for (const mention of mentions) inventory.add(mention);
  return inventory.accounts();
}

/** The account's name, or its id if it has none. */
export function displayName({ account, names }: KnownAccount): string {
  for (const place of PLACES) {
    const name = names[place];
    if (name !== undefined) return name;
  }
  return account;
}

/**
 * The accounts that a person may mean by a name: those configured with it, otherwise those that have it now, otherwise
 * those that only the journal remembers with it. A recreated account often has the name of its predecessor.
 */
export function accountsNamed(known: Iterable<KnownAccount>, text: string): readonly AccountId[] {
  const ranks: AccountId[][] = [[], [], []];
  for (const { account, names } of known) {
    const isNow = names.resolver === text || names.source === text || names.servers === text;
    const rank = names.configuration === text ? 0 : isNow ? 1 : names.journal === text ? 2 : undefined;
    if (rank !== undefined) ranks[rank]?.push(account);
  }
  return ranks.find((accounts) => accounts.length > 0) ?? [];
}

/** The beginning of an id that people may type in its place; shorter ones are more likely names. */
const ID_PREFIX = /^A[A-Z2-7]{3,54}$/;

/** The accounts whose id begins with `text`. */
export function accountsBeginning(known: Iterable<KnownAccount>, text: string): readonly AccountId[] {
  if (!ID_PREFIX.test(text)) return [];
  return [...known].map(({ account }) => account).filter((account) => account.startsWith(text));
}

/** The name of a known account that somebody who wrote `text` probably meant. */
export function nameMeant(known: Iterable<KnownAccount>, text: string): string | undefined {
  return mostSimilar(
    text,
    [...known].flatMap(({ names }) => Object.values(names)),
  );
}

/** What to type for each account: its name, or its id if the name is ambiguous. */
export function typedNames(known: readonly KnownAccount[]): ReadonlyMap<AccountId, string> {
  const byName = new Map<string, KnownAccount[]>();
  for (const entry of known)
    for (const name of new Set(Object.values(entry.names))) byName.set(name, [...(byName.get(name) ?? []), entry]);
  return new Map(
    known.map((entry) => {
      const name = displayName(entry);
      const meant = accountsNamed(byName.get(name) ?? [], name);
      return [entry.account, meant.length === 1 && meant[0] === entry.account ? name : entry.account];
    }),
  );
}
