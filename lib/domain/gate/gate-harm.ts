import type { AccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { enablesJetStream, hasFlatJetStream, hasTiers, limitsOf } from "../limits/jetstream-limits.ts";
import { replicasOf, tiersOf } from "../limits/limit-changes.ts";
import { type LimitProblem, limitProblems, someOf } from "../limits/limit-usage.ts";
import type { Observation } from "../observation/observation.ts";
import { type EpochSeconds, formatDuration, millis } from "../time/time.ts";
import { type LockoutInput, lockouts } from "./lockout.ts";
import { crashingMappings } from "./mappings.ts";
import { importedServices, serverObjections } from "./server-checks.ts";
import { doOverlap } from "./subjects.ts";

/**
 * Claims that servers accept but that do harm: they keep servers from starting, lock out clients or Relight, are read as
 * other numbers, or lower JetStream limits below use. Only a change that *creates* such a state is refused. Claims that
 * have it already may be renewed and corrected.
 */

export type HarmCode =
  | "servers_refuse"
  | "crashes_servers"
  | "system_jetstream"
  | "system_imports"
  | "locked_out"
  | "limit_misread"
  | "signing_key_removed"
  | "tiers_beside_flat"
  | "tier_switch"
  | "below_use"
  | "no_room"
  | "issued_ahead"
  | "expires_too_late"
  | "expires_earlier";

/** Harm that a person may allow, each with its own option. */
export type HarmLeave = "expires_earlier" | "below_use" | "tier_switch";

export interface Harm {
  readonly code: HarmCode;
  readonly message: string;
}

export interface HarmInput extends LockoutInput {
  /** Why standalone servers can't reserve what the limits promise. */
  readonly lacks?: readonly string[];
  /** Current usage; absent or failed means unknown. */
  readonly use?: Observation["streams"];
  readonly allowed: ReadonlySet<HarmLeave>;
}

/** All harm that the change would do. */
export function harmOf(input: HarmInput): readonly Harm[] {
  const rules = [serversRefuse, crashesServers, systemJetStream, systemImports, lockouts, misread, unknownTiers];
  return [...rules, tiersBesideFlat, tierSwitch, belowUse, noRoom, expiresEarlier]
    .flatMap((rule) => rule(input))
    .concat(harmOfTimes(input));
}

/** Claims that every server version refuses. */
export function harmEverywhere(after: AccountClaims): readonly Harm[] {
  return serverObjections(after).flatMap(({ everywhere, message }) => (everywhere ? refused(message) : []));
}

/** Harm that does not depend on the claims in force. */
export function harmOfTimes(input: Pick<HarmInput, "before" | "after" | "now">): readonly Harm[] {
  return [issuedAhead, expiresTooLate].flatMap((rule) => rule(input));
}

/** Claims that running servers accept but no server can start with. */
export function keepsServersDown(account: AccountId, systemAccount: string | undefined, claims: AccountClaims) {
  return account === systemAccount && enablesJetStream(claims);
}

/** Some versions run claims that others refuse. If such claims are in force, they may be renewed unchanged. */
function serversRefuse({ before, after }: HarmInput): readonly Harm[] {
  const known = before === undefined ? [] : serverObjections(before).map(({ message }) => message);
  return serverObjections(after)
    .filter(({ message }) => !known.includes(message))
    .flatMap(({ message }) => refused(message));
}

const refused = (message: string): readonly Harm[] => [
  { code: "servers_refuse", message: `servers refuse it: ${message}` },
];

function crashesServers({ before, after }: HarmInput): readonly Harm[] {
  const known = before === undefined ? [] : crashingMappings(before).map(({ to }) => to);
  return crashingMappings(after)
    .filter(({ to }) => !known.includes(to))
    .map(({ from, to }) => ({
      code: "crashes_servers",
      message: `it maps ${JSON.stringify(from)} to ${JSON.stringify(to)}, whose count is not a positive 32-bit number: the first matching message would crash the server, and again after each start`,
    }));
}

function systemJetStream({ account, systemAccount, before, after }: HarmInput): readonly Harm[] {
  const has = (claims: AccountClaims | undefined): boolean =>
    claims !== undefined && keepsServersDown(account, systemAccount, claims);
  if (!has(after) || has(before)) return [];
  const message =
    "it gives JetStream to the system account: running servers would continue, but none could start again (“Not allowed to enable JetStream on the system account”)";
  return [{ code: "system_jetstream", message }];
}

/**
 * Every account imports JetStream's API from the system account. If the system account imports it from another account,
 * 2.9 servers do not start ("Error setting up jetstream service imports for account: import forms a cycle"; tested on
 * 2.9.10, 2.9.25).
 */
function systemImports({ account, systemAccount, before, after }: HarmInput): readonly Harm[] {
  if (account !== systemAccount) return [];
  const known = before === undefined ? [] : importedServices(before);
  return importedServices(after)
    .filter((subject) => doOverlap(subject, "$JS.API.>") && !known.includes(subject))
    .map((subject) => ({
      code: "system_imports",
      message: `it imports the service ${JSON.stringify(subject)} into the system account, over JetStream's API: running servers would continue, but no 2.9 server could start again (“import forms a cycle”)`,
    }));
}

/** Servers keep these limits in 32 bits. Before about 2.12 they truncate larger numbers: 2^32 becomes 0. */
function misread({ before, after }: HarmInput): readonly Harm[] {
  return ["conn", "leaf", "subs", "payload"].flatMap((limit): readonly Harm[] => {
    const value = Number(limitsOf(after)[limit] ?? 0);
    const isRead = value >= -1 && value <= MOST_INT32;
    if (isRead || (before !== undefined && Number(limitsOf(before)[limit] ?? 0) === value)) return [];
    const message = `nats.limits.${limit} would be ${value}, which servers read as a different number: use -1 for no limit, and at most ${MOST_INT32}`;
    return [{ code: "limit_misread", message }];
  });
}

const MOST_INT32 = 2_147_483_647;

/** A tier with another name than R1, R3, … enables JetStream, but no stream matches it: all are refused. */
function unknownTiers({ before, after }: HarmInput): readonly Harm[] {
  const known = before === undefined ? [] : Object.keys(tiersOf(limitsOf(before)));
  return Object.keys(tiersOf(limitsOf(after)))
    .filter((tier) => tier !== "" && replicasOf(tier) === undefined && !known.includes(tier))
    .map((tier) => ({
      code: "limit_misread",
      message: `${JSON.stringify(tier)} is not a tier that servers know; tiers are named after their streams' replicas: R1, R3, …`,
    }));
}

function tiersBesideFlat({ before, after }: HarmInput): readonly Harm[] {
  const both = (claims: AccountClaims): boolean => hasTiers(limitsOf(claims)) && hasFlatJetStream(claims);
  if (!both(after) || (before !== undefined && both(before))) return [];
  const message =
    "it has flat JetStream limits beside tiers, and servers silently drop the flat ones: streams outside the tiers would have no limits";
  return [{ code: "tiers_beside_flat", message }];
}

/** nats-server #2971: existing streams, even empty ones, count against none of the new limits, and servers refuse their messages. */
function tierSwitch({ before, after, use, allowed }: HarmInput): readonly Harm[] {
  if (before === undefined || allowed.has("tier_switch")) return [];
  const [was, is] = [hasTiers(limitsOf(before)), hasTiers(limitsOf(after))];
  if (was === is || !enablesJetStream(before) || !enablesJetStream(after)) return [];
  const change = is ? "flat limits to tiers" : "tiers to flat limits";
  const streams = use?.ok ? use.value.map(({ name }) => name).sort() : [];
  if (use?.ok && streams.length === 0) return [];
  const why = use?.ok
    ? `every message to ${someOf(streams)} would be refused (10120)`
    : "it is unknown whether there are streams, and every message to them would be refused (10120)";
  const until = is ? "each is updated or its servers restart" : "each server restarts";
  const message = `it changes from ${change}: ${why} until ${until} (nats-server #2971)`;
  return [{ code: "tier_switch", message }];
}

function belowUse({ before, after, use, allowed }: HarmInput): readonly Harm[] {
  if (!use?.ok || allowed.has("below_use") || !enablesJetStream(after)) return [];
  const over = (claims: AccountClaims): readonly LimitProblem[] =>
    limitProblems(limitsOf(claims), use.value).filter(({ kind }) => kind === "over" || kind === "no-tier");
  const known = before === undefined ? [] : over(before);
  const isKnown = ({ claim, tier, limit }: LimitProblem): boolean =>
    known.some((it) => it.claim === claim && it.tier === tier && it.limit <= limit);
  return over(after)
    .filter((problem) => !isKnown(problem))
    .map(({ message }) => ({ code: "below_use", message: `below current usage: ${message}` }));
}

/** A standalone server accepts limits that it cannot reserve, and at its next start gives the account no JetStream. */
function noRoom({ lacks = [] }: HarmInput): readonly Harm[] {
  return lacks.map((lack) => ({
    code: "no_room",
    message: `${lack}; a server accepts such claims, but at its next start gives the account no JetStream`,
  }));
}

/** Issuers' clocks differ by seconds, or by minutes if nobody maintains them. */
const ISSUER_SKEW = 300;

/** Whether `iat` is further ahead than clock differences explain. Later JWTs would be older. */
export const isIssuedAhead = ({ iat }: AccountClaims, now: EpochSeconds): boolean => iat > now + ISSUER_SKEW;

/** Every later JWT would be older and be refused. */
function issuedAhead({ before, after, now }: Pick<HarmInput, "before" | "after" | "now">): readonly Harm[] {
  // A renewal of claims with such an `iat` needs a later one.
  if (!isIssuedAhead(after, now) || (before !== undefined && after.iat <= before.iat + 1)) return [];
  const message = `its iat is ${formatDuration(millis((after.iat - now) * 1000))} ahead: every later JWT would be older`;
  return [{ code: "issued_ahead", message }];
}

/** A hundred years. Servers count the remaining time in 64-bit nanoseconds, so beyond 292 years it is over at once. */
const LONGEST = 3_155_760_000;

function expiresTooLate({ after, now }: Pick<HarmInput, "after" | "now">): readonly Harm[] {
  if (after.exp === undefined || after.exp <= now + LONGEST) return [];
  const message = `it expires in more than a hundred years (exp ${after.exp}), and beyond 292 years servers treat it as expired; for claims that never expire, leave out exp`;
  return [{ code: "expires_too_late", message }];
}

/** An expiry for claims without one must leave time for a renewal. */
const SOONEST_END = 3_600;

function expiresEarlier({ before, after, now, allowed }: HarmInput): readonly Harm[] {
  // An expired JWT has its own refusal.
  if (before === undefined || after.exp === undefined || after.exp <= now) return [];
  if (allowed.has("expires_earlier") || after.exp >= (before.exp ?? now + SOONEST_END)) return [];
  const left = (exp: number): string => formatDuration(millis(Math.max(0, exp - now) * 1000));
  const inForce = before.exp === undefined ? "never expire" : `expire in ${left(before.exp)}`;
  const message = `it expires in ${left(after.exp)}, but the claims in force ${inForce}`;
  return [{ code: "expires_earlier", message }];
}
