import type { AccountId } from "./account.ts";

/** Where an account is known from; what the first of them says of its name counts most. */
export const PLACES = ["configuration", "resolver", "source", "servers", "journal"] as const;
export type Place = (typeof PLACES)[number];

/** An account that anybody knows. */
export interface KnownAccount {
  readonly account: AccountId;
  /** In the order of {@link PLACES}. */
  readonly from: readonly Place[];
  /** What each of these places calls it, if it has a name there. */
  readonly names: Readonly<Partial<Record<Place, string>>>;
}

/** That one place knows an account. */
export interface Mention {
  readonly account: AccountId;
  readonly place: Place;
  readonly name?: string | undefined;
}

/** Joins what the places know; configured accounts first, then as they were mentioned. Nothing is held but ids and names. */
export function inventoryOf(mentions: Iterable<Mention>): readonly KnownAccount[] {
  const known = new Map<AccountId, { from: Set<Place>; names: Partial<Record<Place, string>> }>();
  for (const { account, place, name } of mentions) {
    const entry = known.get(account) ?? { from: new Set(), names: {} };
    known.set(account, entry);
    entry.from.add(place);
    if (name) entry.names[place] = name;
  }
  return [...known].map(([account, { from, names }]) => ({
    account,
    names,
    from: PLACES.filter((place) => from.has(place)),
  }));
}

/** What people call the account; its id where nobody has a name for it. */
export function displayName({ account, names }: KnownAccount): string {
  for (const place of PLACES) {
    const name = names[place];
    if (name !== undefined) return name;
  }
  return account;
}

/**
 * The accounts that a person may mean by a name: those that are configured under it; else those that are called so now;
 * else those of which only the journal remembers it, since a tenant that was made anew has the name of the one before.
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

/** What to type for each account: its name, or its id where that name means another account, or several. */
export function typedNames(known: readonly KnownAccount[]): ReadonlyMap<AccountId, string> {
  const byName = new Map<string, KnownAccount[]>();
  for (const entry of known)
    for (const name of new Set(Object.values(entry.names)))
      byName.set(name, [...(byName.get(name) ?? []), entry]);
  return new Map(
    known.map((entry) => {
      const name = displayName(entry);
      const meant = accountsNamed(byName.get(name) ?? [], name);
      return [entry.account, meant.length === 1 && meant[0] === entry.account ? name : entry.account];
    }),
  );
}
