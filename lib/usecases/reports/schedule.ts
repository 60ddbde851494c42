import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { claimsInForce } from "../../domain/claims/claims-in-force.ts";
import { isTrusted } from "../../domain/claims/claims-source.ts";
import { isWithdrawn, lastDeletion, presenceIn } from "../../domain/claims/presence.ts";
import type { Scheduled } from "../../domain/expiry/calendar.ts";
import { UNCOUNTABLE } from "../../domain/expiry/expiry.ts";
import { defined } from "../../domain/time/defined.ts";
import { isCountable } from "../../domain/time/time.ts";
import { probe } from "../../errors.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import { type Context, nameOf } from "../context/context.ts";
import { deletionsOf, lastSeenOf } from "../journal/remembered.ts";
import { storedIn } from "../observe/stored.ts";

export interface Schedule {
  readonly accounts: readonly Scheduled[];
  /** Accounts with an unknown expiry, and why. Deleted accounts are in neither list. */
  readonly unknown: readonly UnknownAccount[];
}

export interface UnknownAccount {
  readonly account: AccountId;
  readonly name: string;
  readonly problem: string;
}

const AT_ONCE = 8;

/** The claims and policies of accounts, from which renewals are projected. A problem with one account does not affect others. */
export async function schedule(context: Context, ids: readonly AccountId[]): Promise<Schedule> {
  const found = (await pMap(ids, (account) => scheduleOne(context, account), { concurrency: AT_ONCE })).flat();
  return {
    accounts: found.flatMap((one) => ("claims" in one ? [one] : [])),
    unknown: found.flatMap((one) => ("problem" in one ? [one] : [])),
  };
}

/** Collects the claims from the resolver's list during a sweep, for use afterwards. */
export interface ListedSchedule {
  add(jwt: DecodedJwt): void;
  /**
   * The schedule of all listed accounts; claims that changed since are requested again. Undefined if nothing was listed, for
   * instance without a NATS-based resolver.
   */
  schedule(changed: readonly AccountId[]): Promise<Schedule | undefined>;
}

export function listedSchedule(context: Context): ListedSchedule {
  const listed = new Map<AccountId, Scheduled>();
  return {
    add: (jwt) => {
      const { claims } = jwt.document;
      const isKnown = claims.exp === undefined || isCountable(claims.exp, context.clock.now());
      if (!isTrusted(jwt, context.operator) || !isKnown) return;
      const { sub: account } = claims;
      const name = nameOf(context, account, claims);
      listed.set(account, { account, name, claims, policy: context.policyOf(account, claims) });
    },
    schedule: async (changed) => {
      if (listed.size === 0) return undefined;
      for (const account of changed) listed.delete(account);
      const { accounts, unknown } = await schedule(context, changed);
      const others = [...listed.values()];
      return { accounts: [...others, ...accounts], unknown };
    },
  };
}

/** Empty for a deleted account. */
async function scheduleOne(context: Context, account: AccountId): Promise<readonly (Scheduled | UnknownAccount)[]> {
  const found = await probe(() => claimsOf(context, account));
  if (found.ok && found.value.withdrawn) return [];
  const claims = found.ok ? found.value.document?.claims : undefined;
  const name = nameOf(context, account, claims);
  if (claims === undefined) return [{ account, name, problem: found.ok ? "its claims are unknown" : found.message }];
  const isKnown = claims.exp === undefined || isCountable(claims.exp, context.clock.now());
  if (!isKnown) return [{ account, name, problem: UNCOUNTABLE }];
  return [{ account, name, claims, policy: context.policyOf(account, claims) }];
}

/** The account's claims, if any; a deleted account has none. */
export interface FoundClaims {
  readonly document?: ClaimsDocument;
  readonly withdrawn?: true;
}

const NOTHING = { ok: true, value: [] } as const;

/** The claims in force, or the last known ones. Does not read streams, which would take long for thousands of accounts. */
export async function claimsOf(context: Context, account: AccountId): Promise<FoundClaims> {
  const { resolver, operator, clock } = context;
  const running = await resolver.running(account);
  const stored = await storedIn(resolver, account);
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
