import pMap from "p-map";
import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import {
  accountsBeginning,
  accountsNamed,
  inventoryOf,
  type KnownAccount,
  type Mention,
  nameMeant,
  newInventory,
} from "../../domain/claims/inventory.ts";
import { isPublicKey } from "../../domain/claims/nkey.ts";
import { toMillis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Journal } from "../../ports/journal.ts";
import type { SourceEntry } from "../../ports/source.ts";
import type { Context } from "../context/context.ts";
import { listedIn } from "./stored.ts";

const AT_ONCE = 8;

/** Names that are known without the cluster: from the configuration and the journal. */
export interface OfflineNames {
  readonly configured: readonly AccountId[];
  readonly settingsOf: Context["settingsOf"];
  readonly journal: Pick<Journal, "accounts">;
}

/**
 * All accounts that the configuration, the resolver, the source of truth, the servers or the journal know, so none
 * vanishes unnoticed. Without accounts that a person marked as gone (`forget`), unless they reappeared.
 * @throws RelightError `nats.*` if the resolver's list is incomplete, `journal.unavailable`.
 */
export async function takeInventory(
  context: Context,
  configured: readonly AccountId[],
): Promise<readonly KnownAccount[]> {
  const inventory = newInventory();
  for (const mention of configuredMentions({ ...context, configured })) inventory.add(mention);
  for await (const entry of listedIn(context.resolver)) {
    if (!entry.ok && entry.of === "server") context.log.warn("a server did not list its accounts", entry);
    const account = entry.ok ? entry.jwt.document.claims.sub : entry.account;
    const name = entry.ok ? entry.jwt.document.claims.name : undefined;
    if (isAccountId(account)) inventory.add({ account, place: "resolver", name });
  }
  for await (const mention of unlistedMentions(context, await loadedAccounts(context))) inventory.add(mention);
  return inventory.accounts();
}

/**
 * What the source of truth, the journal and the servers know, without accounts that a person marked as gone.
 * @param loaded the accounts that the servers have loaded
 */
export async function* unlistedMentions(context: Context, loaded: readonly AccountId[]): AsyncIterable<Mention> {
  for await (const entry of sourceEntries(context)) {
    if (!entry.ok && entry.account !== undefined) yield { account: entry.account, place: "source" };
    if (!entry.ok) continue;
    const { sub: account, name } = entry.jwt.document.claims;
    yield { account, place: "source", name };
  }
  const { journalled, forgotten } = await fromJournal(context.journal);
  for (const account of loaded) if (!forgotten.has(account)) yield { account, place: "servers" };
  yield* journalled;
}

/** The ids of {@link takeInventory}. */
export async function knownAccounts(context: Context, configured: readonly AccountId[]): Promise<readonly AccountId[]> {
  return (await takeInventory(context, configured)).map(({ account }) => account);
}

/**
 * The account that a person means by an id, the beginning of one, or a name from any place. Checks the configuration first.
 * @param connect opens the cluster; without it only the journal is searched
 * @throws RelightError `account.unknown`, also if a name is ambiguous.
 */
export async function findAccount(
  names: OfflineNames,
  text: string,
  connect?: () => Promise<Context>,
): Promise<AccountId> {
  if (isAccountId(text)) return checked(text);
  const configured = inventoryOf(configuredMentions(names));
  const own = accountsNamed(configured, text);
  if (own.length > 0) return onlyMatch(own, text);
  if (connect === undefined) {
    const { journalled } = await fromJournal(names.journal);
    return meantIn(inventoryOf([...configuredMentions(names), ...journalled]), text);
  }
  const context = await connect();
  const known = await takeInventory(context, names.configured);
  return accountsNamed(known, text).length > 0
    ? meantIn(known, text)
    : meantIn(await withServersNames(context, known), text);
}

/** An id that a person wrote, because a mistyped one would otherwise be an account that nobody knows. */
function checked(id: AccountId): AccountId {
  if (isPublicKey(id, "account")) return id;
  throw new RelightError("account.unknown", `${id} is not an account's id: its checksum is wrong`);
}

function meantIn(known: readonly KnownAccount[], text: string): AccountId {
  const named = accountsNamed(known, text);
  const found = named.length > 0 ? named : accountsBeginning(known, text);
  if (found.length > 0) return onlyMatch(found, text);
  const meant = nameMeant(known, text);
  const advice = meant === undefined ? "" : `; did you mean ${meant}?`;
  throw new RelightError("account.unknown", `no account has the name or id "${text}"${advice}`);
}

/** The accounts that servers have loaded; none if the request fails, which is logged. */
export async function loadedAccounts(context: Context): Promise<readonly AccountId[]> {
  return (await askLoaded(context)) ?? [];
}

/** The same; undefined if the request fails. */
export async function askLoaded({ probes, log }: Context): Promise<readonly AccountId[] | undefined> {
  const loaded = await probes.accounts();
  if (loaded.ok) return loaded.value;
  log.warn("the servers' loaded accounts could not be listed", { error: loaded });
  return undefined;
}

/** The entries of the source of truth, if any. An unreadable source does not stop a sweep, because each verdict reports it. */
export async function* sourceEntries({ source, log }: Pick<Context, "source" | "log">): AsyncIterable<SourceEntry> {
  if (source === undefined) return;
  try {
    yield* source.claims.accounts();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code !== "source.unavailable") throw thrown;
    log.warn("the source of truth can't be read", { error: error.toJSON() });
  }
}

function configuredMentions({ configured, settingsOf }: Omit<OfflineNames, "journal">): Mention[] {
  return configured.map((account) => ({ account, place: "configuration", name: settingsOf(account)?.name }));
}

async function fromJournal(journal: Pick<Journal, "accounts">) {
  const journalled: Mention[] = [];
  const forgotten = new Set<AccountId>();
  for await (const { account, name, forgotten: isForgotten } of journal.accounts()) {
    if (isForgotten) forgotten.add(account);
    else journalled.push({ account, place: "journal", name });
  }
  return { journalled, forgotten };
}

/** ACCOUNTZ has only ids, so names that no other place has are requested one by one. */
async function withServersNames(
  { resolver, log }: Context,
  known: readonly KnownAccount[],
): Promise<readonly KnownAccount[]> {
  const nameless = known.filter(({ names, from }) => Object.keys(names).length === 0 && from.includes("servers"));
  const asked = await pMap(
    nameless,
    async (entry) => {
      const running = await resolver.running(entry.account).catch((thrown: unknown) => {
        log.warn("the name of an account could not be requested", { error: asRelightError(thrown).toJSON() });
        return [];
      });
      const name = running.flatMap((it) => (it.loaded ? [it.document.claims.name] : [])).find(Boolean);
      return name === undefined ? entry : { ...entry, names: { servers: name } };
    },
    { concurrency: AT_ONCE },
  );
  const named = new Map(asked.map((entry) => [entry.account, entry]));
  return known.map((entry) => named.get(entry.account) ?? entry);
}

function onlyMatch(matches: readonly AccountId[], text: string): AccountId {
  const [match, ...others] = matches;
  if (match !== undefined && others.length === 0) return match;
  const list = matches.join(", ");
  throw new RelightError("account.unknown", `${matches.length} accounts are meant by "${text}"; use an id: ${list}`);
}

/**
 * The claims of the other accounts: in the resolver, or without a full one on the servers. Promises to accounts that no
 * server has loaded count, because they may be loaded later.
 */
export async function otherAccounts(
  context: Pick<Context, "resolver" | "clock" | "probes">,
  account: AccountId,
): Promise<readonly AccountClaims[]> {
  const inForce = ({ sub, exp }: AccountClaims): boolean =>
    sub !== account && (exp === undefined || toMillis(exp) > context.clock.now());
  const listed: AccountClaims[] = [];
  try {
    for await (const entry of context.resolver.list())
      if (entry.ok && inForce(entry.jwt.document.claims)) listed.push(entry.jwt.document.claims);
    return listed;
  } catch (thrown) {
    if (asRelightError(thrown).code !== "nats.no_resolver") throw thrown;
    return (await runningClaims(context)).filter(inForce);
  }
}

/** The claims of every account that a server has loaded. @throws RelightError `nats.*` */
async function runningClaims({
  probes,
  resolver,
}: Pick<Context, "resolver" | "probes">): Promise<readonly AccountClaims[]> {
  const loaded = await probes.accounts();
  if (!loaded.ok) throw new RelightError("nats.timeout", `the loaded accounts are not known: ${loaded.message}`);
  const running = await pMap(loaded.value, (account) => resolver.running(account), { concurrency: AT_ONCE });
  const claims = running.flat().flatMap((entry) => (entry.loaded ? [entry.document.claims] : []));
  return [...new Map(claims.map((one) => [one.sub, one])).values()];
}
