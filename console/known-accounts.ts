import type { AccountId } from "../lib/domain/claims/account.ts";
import { accountsNamed, displayName, type KnownAccount } from "../lib/domain/claims/inventory.ts";
import { nameSeen } from "../lib/domain/journal/journal.ts";
import { type EpochMillis, millis } from "../lib/domain/time/time.ts";
import { asRelightError } from "../lib/errors.ts";
import type { ConsoleSettings } from "./settings.ts";

/** The accounts that the cluster and the source of truth have beside those that the journal knows. */
export interface KnownAccounts {
  /** The names by id, as they were last read; at first it waits a little for them. Empty names are not known. */
  listed(): Promise<ReadonlyMap<AccountId, string>>;
  /** Why accounts may be missing from it; undefined if none are. */
  readonly gap: Gap | undefined;
  /** The account that somebody means by an id or a name. @throws RelightError `account.unknown` */
  find(text: string): Promise<AccountId>;
  /** The configured name, the one in the last claims, or the listed one; empty if there is none. */
  nameOf(account: AccountId): Promise<string>;
}

/** The list is being read for the first time, or could not be read. */
export type Gap =
  | { readonly state: "reading" }
  | { readonly state: "failed"; readonly why: string; readonly at: EpochMillis };

/** The least time between two reads; milliseconds. */
const FRESH = 60_000;
/** A long list takes seconds, so it is not read again before this many times as long has passed. */
const PAUSE = 5;
/** A page waits for the first list for this long at most; milliseconds. */
const PATIENCE = 3_000;

export function knownAccountsOf({ app, withApp, log }: Omit<ConsoleSettings, "guard">): KnownAccounts {
  const { clock } = app;
  let accounts: readonly KnownAccount[] = [];
  let names: ReadonlyMap<AccountId, string> = new Map();
  let gap: Gap | undefined = { state: "reading" };
  let reading: Promise<void> | undefined;
  let freshUntil = 0;

  async function read(): Promise<void> {
    const began = clock.now();
    try {
      accounts = await withApp((fresh) => fresh.inventory());
      names = new Map(accounts.map((known) => [known.account, nameIn(known)]));
      gap = undefined;
    } catch (thrown) {
      const { code, message } = asRelightError(thrown);
      log.warn("the console could not list the cluster's accounts", { code, why: message });
      gap = { state: "failed", why: code === "internal" ? "an error inside Relight" : message, at: clock.now() };
    } finally {
      reading = undefined;
      freshUntil = clock.now() + Math.max(FRESH, (clock.now() - began) * PAUSE);
    }
  }

  async function latest(): Promise<readonly KnownAccount[]> {
    if (reading === undefined && clock.now() >= freshUntil) reading = read();
    if (reading !== undefined && accounts.length === 0) {
      const patience = new AbortController();
      await Promise.race([reading, clock.sleep(millis(PATIENCE), patience.signal)]);
      patience.abort();
    }
    return accounts;
  }

  return {
    listed: async () => {
      await latest();
      return names;
    },
    get gap() {
      return gap;
    },
    find: async (text) => {
      try {
        return await app.console.find(text);
      } catch (thrown) {
        if (asRelightError(thrown).code !== "account.unknown") throw thrown;
        const known = await latest();
        const [found, ...others] = names.has(text as AccountId) ? [text as AccountId] : accountsNamed(known, text);
        if (found === undefined || others.length > 0) throw thrown;
        return found;
      }
    },
    nameOf: async (account) => {
      const configured = app.nameOf(account);
      if (configured !== account) return configured;
      const [seen] = await app.journal.read({ account, kinds: ["claims.seen"], limit: 1 });
      return (seen === undefined ? "" : nameSeen(seen.data)) || (names.get(account) ?? "");
    },
  };
}

/** Empty for an account without a name. */
function nameIn(known: KnownAccount): string {
  const name = displayName(known);
  return name === known.account ? "" : name;
}
