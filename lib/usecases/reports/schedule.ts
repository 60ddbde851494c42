import pMap from "p-map";
import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import type { AccountClaims, ClaimsDocument } from "../../domain/claims/claims.ts";
import { claimsInForce } from "../../domain/claims/claims-in-force.ts";
import { isTrusted } from "../../domain/claims/claims-source.ts";
import { isWithdrawn, lastDeletion, presenceIn } from "../../domain/claims/presence.ts";
import type { Scheduled } from "../../domain/expiry/calendar.ts";
import { UNCOUNTABLE } from "../../domain/expiry/expiry.ts";
import { defined } from "../../domain/time/defined.ts";
import type { Json, JsonObject } from "../../domain/time/json.ts";
import { isCountable } from "../../domain/time/time.ts";
import { probe } from "../../errors.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import { type Context, nameOf } from "../context/context.ts";
import { deletionsOf, lastSeenOf } from "../journal/remembered.ts";
import { askLoaded, unlistedMentions } from "../observe/inventory.ts";
import { listedIn, storedIn } from "../observe/stored.ts";

export interface Schedule {
  readonly accounts: readonly Scheduled[];
  /** Accounts with an unknown expiry, and why. Deleted accounts are in neither list. */
  readonly unknown: readonly UnknownAccount[];
}

export interface UnknownAccount {
  /** Absent if accounts of a server are unknown, which is named then. */
  readonly account?: AccountId;
  readonly name: string;
  readonly problem: string;
}

/** As many as are in flight on a connection. */
const AT_ONCE = 16;
/** Accounts that are asked about together. */
const CHUNK = 256;

/** The claims and policies of accounts, from which renewals are projected. A problem with one account does not affect others. */
export async function schedule(context: Context, ids: Iterable<AccountId>): Promise<Schedule> {
  const found = await askAll(
    context,
    Array.from(ids, (account) => ({ account })),
  );
  return {
    accounts: found.flatMap((one) => ("claims" in one ? [one] : [])),
    unknown: found.flatMap((one) => ("problem" in one ? [one] : [])),
  };
}

/**
 * The same of all accounts that any place knows, one by one, because there may be a hundred thousand. An account that no
 * server has loaded has the claims that the resolver lists, which a server would load. Every other account is asked about,
 * on each server.
 * @throws RelightError `nats.*` if the resolver's list is incomplete, `journal.unavailable`
 */
export async function* scheduledAccounts(
  context: Context,
  configured: readonly AccountId[],
): AsyncIterable<Scheduled | UnknownAccount> {
  const loaded = await askLoaded(context);
  const isLoaded = new Set(loaded);
  const seen = new Set<AccountId>();
  let asked: Asked[] = [];
  for await (const one of candidates(context, configured, loaded ?? [])) {
    if ("problem" in one) {
      yield one;
      continue;
    }
    const { account, stored } = one;
    // The same account may be listed twice, but only by a resolver whose files somebody changed.
    if (stored === undefined && seen.has(account)) continue;
    seen.add(account);
    const isSettled =
      stored !== undefined && loaded !== undefined && !isLoaded.has(account) && isCertain(context, stored);
    if (isSettled) yield scheduledOf(context, stored.document.claims);
    else if (asked.push(one) === CHUNK) {
      yield* await askAll(context, asked);
      asked = [];
    }
  }
  yield* await askAll(context, asked);
}

/** Everything that the resolver lists, then what other places know. */
async function* candidates(
  context: Context,
  configured: readonly AccountId[],
  loaded: readonly AccountId[],
): AsyncIterable<Asked | UnknownAccount> {
  for await (const entry of listedIn(context.resolver)) {
    if (entry.ok) yield { account: entry.jwt.document.claims.sub, stored: entry.jwt };
    else if (entry.of === "server") yield { name: `the accounts on ${entry.account}`, problem: entry.problem };
    else if (isAccountId(entry.account)) yield { account: entry.account };
  }
  for (const account of configured) yield { account };
  for await (const { account } of unlistedMentions(context, loaded)) yield { account };
}

/** An account to ask about, with the resolver's JWT if it was listed. */
interface Asked {
  readonly account: AccountId;
  readonly stored?: DecodedJwt;
}

async function askAll(context: Context, asked: readonly Asked[]): Promise<readonly (Scheduled | UnknownAccount)[]> {
  return (await pMap(asked, (one) => scheduleOne(context, one), { concurrency: AT_ONCE })).flat();
}

/** Whether servers would load the JWT, and its expiry is known. */
function isCertain({ operator, clock }: Context, jwt: DecodedJwt): boolean {
  const { exp } = jwt.document.claims;
  return isTrusted(jwt, operator) && (exp === undefined || isCountable(exp, clock.now()));
}

function scheduledOf(context: Context, claims: AccountClaims): Scheduled {
  const { sub: account } = claims;
  const policy = context.policyOf(account, claims);
  return { account, name: nameOf(context, account, claims), claims: essentials(claims), policy };
}

const NOTHING_SHARED: JsonObject = {};

/** The claims without those on which no expiry depends. */
function essentials({ nats, ...times }: AccountClaims): AccountClaims {
  const { imports, exports, signing_keys } = nats;
  return { ...times, nats: isShared(nats) ? defined({ imports, exports, signing_keys }) : NOTHING_SHARED };
}

/** Whether the account imports or exports something. */
export const isShared = ({ imports, exports }: AccountClaims["nats"]): boolean =>
  !isEmpty(imports) || !isEmpty(exports);

const isEmpty = (list: Json | undefined): boolean => !Array.isArray(list) || list.length === 0;

/** Collects the claims from the resolver's list during a sweep, for use afterwards. */
export interface ListedSchedule {
  add(jwt: DecodedJwt): void;
  /** An account was only renewed since: nothing else in its claims has changed. Returns false for one that was not listed. */
  renewed(account: AccountId, changes: Pick<AccountClaims, "jti" | "iss" | "iat" | "exp">): boolean;
  /**
   * The listed accounts that more than their own expiry depends on: with imports, exports or a retiring key. Claims that
   * changed since are requested again. Undefined if nothing was listed, for instance without a NATS-based resolver.
   */
  schedule(changed: readonly AccountId[]): Promise<Schedule | undefined>;
}

/** @param retiring the operator's keys that will be removed */
export function listedSchedule(context: Context, retiring: readonly string[]): ListedSchedule {
  const kept = new Map<AccountId, Scheduled>();
  const listed = new Set<AccountId>();
  return {
    add: (jwt) => {
      if (!isCertain(context, jwt)) return;
      const { claims } = jwt.document;
      listed.add(claims.sub);
      if (!isShared(claims.nats) && !retiring.includes(claims.iss)) return;
      kept.set(claims.sub, scheduledOf(context, claims));
    },
    renewed: (account, changes) => {
      if (!listed.has(account) || retiring.includes(changes.iss)) return false;
      const before = kept.get(account);
      if (before !== undefined) kept.set(account, scheduledOf(context, { ...before.claims, ...changes }));
      return true;
    },
    schedule: async (changed) => {
      if (listed.size === 0) return undefined;
      for (const account of changed) kept.delete(account);
      const { accounts, unknown } = await schedule(context, changed);
      return { accounts: [...kept.values(), ...accounts], unknown };
    },
  };
}

/** Empty for a deleted account. */
async function scheduleOne(
  context: Context,
  { account, stored }: Asked,
): Promise<readonly (Scheduled | UnknownAccount)[]> {
  const found = await probe(() => claimsOf(context, account, stored));
  if (found.ok && found.value.withdrawn) return [];
  const claims = found.ok ? found.value.document?.claims : undefined;
  const name = nameOf(context, account, claims);
  if (claims === undefined) return [{ account, name, problem: found.ok ? "its claims are unknown" : found.message }];
  const isKnown = claims.exp === undefined || isCountable(claims.exp, context.clock.now());
  return [isKnown ? scheduledOf(context, claims) : { account, name, problem: UNCOUNTABLE }];
}

/** The account's claims, if any; a deleted account has none. */
export interface FoundClaims {
  readonly document?: ClaimsDocument;
  readonly withdrawn?: true;
}

const NOTHING = { ok: true, value: [] } as const;

/**
 * The claims in force, or the last known ones. Does not read streams, which would take long for thousands of accounts.
 * @param listed the resolver's JWT, if the caller has it
 */
export async function claimsOf(context: Context, account: AccountId, listed?: DecodedJwt): Promise<FoundClaims> {
  const { resolver, operator, clock } = context;
  const running = await resolver.running(account);
  const stored = listed === undefined ? await storedIn(resolver, account) : ({ kept: true, jwt: listed } as const);
  const seen = {
    account,
    at: clock.now(),
    servers: [],
    streams: NOTHING,
    stored: { ok: true, value: stored.kept ? stored.jwt : undefined } as const,
    running: { ok: true, value: running } as const,
    accountView: { ok: "not-asked", why: "not needed for the claims" } as const,
    elsewhere: NOTHING,
    leafnodes: NOTHING,
    meta: { ok: true, value: undefined } as const,
  };
  const inForce = claimsInForce(seen, operator);
  const isRefused = running.some((entry) => entry.loaded && entry.expired);
  if (inForce !== undefined && !isRefused) return { document: inForce };
  const lastSeen = await lastSeenOf(context.journal, account);
  const deletion = lastDeletion(await deletionsOf(context.journal, account));
  if (isWithdrawn(presenceIn(seen, operator, { lastSeen, deletion }))) return { withdrawn: true };
  const document = inForce ?? lastSeen;
  return defined({ document });
}
