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
import { doMeet } from "./subjects.ts";

/**
 * Claims that servers accept and that do harm: that a starting server dies of, that lock out everybody or Relight, that
 * servers read as other numbers, or that take from JetStream what is in use. A change is judged by whether it *makes*
 * such a state: claims that have it already may be renewed, and may be mended.
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

/** Harm that a person may order all the same, each by an option of its own. */
export type HarmLeave = "expires_earlier" | "below_use" | "tier_switch";

export interface Harm {
  readonly code: HarmCode;
  readonly message: string;
}

export interface HarmInput extends LockoutInput {
  /** Why servers that stand alone can't reserve what the limits promise. */
  readonly lacks?: readonly string[];
  /** What is in use; absent or failed: not known. */
  readonly use?: Observation["streams"];
  readonly allowed: ReadonlySet<HarmLeave>;
}

/** Every harm that the change would do. */
export function harmOf(input: HarmInput): readonly Harm[] {
  const rules = [
    serversRefuse,
    crashesServers,
    systemJetStream,
    systemImports,
    lockouts,
    misread,
    unknownTiers,
  ];
  return [...rules, tiersBesideFlat, tierSwitch, belowUse, noRoom, expiresEarlier]
    .flatMap((rule) => rule(input))
    .concat(harmOfTimes(input));
}

/** What every server refuses, whatever is in force. */
export function harmEverywhere(after: AccountClaims): readonly Harm[] {
  return serverObjections(after).flatMap(({ everywhere, message }) => (everywhere ? refused(message) : []));
}

/** What does harm whatever is in force. */
export function harmOfTimes(input: Pick<HarmInput, "before" | "after" | "now">): readonly Harm[] {
  return [issuedAhead, expiresTooLate].flatMap((rule) => rule(input));
}

/** Claims that servers run, and that none would start with. */
export function keepsServersDown(
  account: AccountId,
  systemAccount: string | undefined,
  claims: AccountClaims,
) {
  return account === systemAccount && enablesJetStream(claims);
}

/** Servers of one version may run what others refuse: that is renewed as it is. */
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
      message: `it maps ${JSON.stringify(from)} to ${JSON.stringify(to)}, which counts to nothing: the first such message would end a server, and again after each start`,
    }));
}

function systemJetStream({ account, systemAccount, before, after }: HarmInput): readonly Harm[] {
  const has = (claims: AccountClaims | undefined): boolean =>
    claims !== undefined && keepsServersDown(account, systemAccount, claims);
  if (!has(after) || has(before)) return [];
  const message =
    "it gives JetStream to the system account: servers go on, and none would ever start again (“Not allowed to enable JetStream on the system account”)";
  return [{ code: "system_jetstream", message }];
}

/**
 * Every account imports JetStream's API from the system account: where that imports it from another one, a server of 2.9
 * does not start ("Error setting up jetstream service imports for account: import forms a cycle"; ran: 2.9.10, 2.9.25).
 */
function systemImports({ account, systemAccount, before, after }: HarmInput): readonly Harm[] {
  if (account !== systemAccount) return [];
  const known = before === undefined ? [] : importedServices(before);
  return importedServices(after)
    .filter((subject) => doMeet(subject, "$JS.API.>") && !known.includes(subject))
    .map((subject) => ({
      code: "system_imports",
      message: `it imports the service ${JSON.stringify(subject)} into the system account, over JetStream's API: servers of 2.9 go on, and none would ever start again (“import forms a cycle”)`,
    }));
}

/** Servers keep these in 32 bits; before 2.12 or so they cut off the rest, so that 2^32 was 0. */
function misread({ before, after }: HarmInput): readonly Harm[] {
  return ["conn", "leaf", "subs", "payload"].flatMap((limit): readonly Harm[] => {
    const value = Number(limitsOf(after)[limit] ?? 0);
    const isRead = value >= -1 && value <= MOST_INT32;
    if (isRead || (before !== undefined && Number(limitsOf(before)[limit] ?? 0) === value)) return [];
    const message = `nats.limits.${limit} would be ${value}, which servers read as another number: -1 is no limit, and ${MOST_INT32} is the most`;
    return [{ code: "limit_misread", message }];
  });
}

const MOST_INT32 = 2_147_483_647;

/** A tier of another name than R1, R3, … gives JetStream, and no stream a limit: all are refused. */
function unknownTiers({ before, after }: HarmInput): readonly Harm[] {
  const known = before === undefined ? [] : Object.keys(tiersOf(limitsOf(before)));
  return Object.keys(tiersOf(limitsOf(after)))
    .filter((tier) => tier !== "" && replicasOf(tier) === undefined && !known.includes(tier))
    .map((tier) => ({
      code: "limit_misread",
      message: `${JSON.stringify(tier)} is no tier that servers know; tiers are called R1, R3, … by the replicas of their streams`,
    }));
}

function tiersBesideFlat({ before, after }: HarmInput): readonly Harm[] {
  const both = (claims: AccountClaims): boolean => hasTiers(limitsOf(claims)) && hasFlatJetStream(claims);
  if (!both(after) || (before !== undefined && both(before))) return [];
  const message =
    "it has flat JetStream limits beside tiers, and servers drop the flat ones without a word: streams outside the tiers would be left without any";
  return [{ code: "tiers_beside_flat", message }];
}

/** nats-server #2971: servers count what is there against no limit that is left, empty streams too, and refuse every message. */
function tierSwitch({ before, after, use, allowed }: HarmInput): readonly Harm[] {
  if (before === undefined || allowed.has("tier_switch")) return [];
  const [was, is] = [hasTiers(limitsOf(before)), hasTiers(limitsOf(after))];
  if (was === is || !enablesJetStream(before) || !enablesJetStream(after)) return [];
  const change = is ? "flat limits to tiers" : "tiers to flat limits";
  const streams = use?.ok ? use.value.map(({ name }) => name).sort() : [];
  if (use?.ok && streams.length === 0) return [];
  const why = use?.ok
    ? `every message to ${someOf(streams)} would be refused (10120)`
    : "what streams there are is not known, and every message to them would be refused (10120)";
  const until = is ? "each was updated or its servers restarted" : "each server was restarted";
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
    .map(({ message }) => ({ code: "below_use", message: `below what is in use: ${message}` }));
}

/** What a server that stands alone can't reserve, it takes, and gives the account no JetStream at its next start. */
function noRoom({ lacks = [] }: HarmInput): readonly Harm[] {
  return lacks.map((lack) => ({
    code: "no_room",
    message: `${lack}; a server takes such claims, and gives the account no JetStream when it starts again`,
  }));
}

/** Clocks of issuers differ by seconds, and by minutes where nobody looks after them. */
const ISSUER_SKEW = 300;

/** Whether claims say that they were issued later than clocks explain: what comes next can't be newer. */
export const isIssuedAhead = ({ iat }: AccountClaims, now: EpochSeconds): boolean => iat > now + ISSUER_SKEW;

/** Whatever came later would be older than this one, and be refused for ever. */
function issuedAhead({ before, after, now }: Pick<HarmInput, "before" | "after" | "now">): readonly Harm[] {
  // Who renews claims that are ahead already can't go back.
  if (!isIssuedAhead(after, now) || (before !== undefined && after.iat <= before.iat + 1)) return [];
  const message = `it says that it was issued in ${formatDuration(millis((after.iat - now) * 1000))} (iat): every later JWT would be older`;
  return [{ code: "issued_ahead", message }];
}

/** A hundred years. Servers count the time left in 64 bits of nanoseconds: past 292 years it is over at once. */
const LONGEST = 3_155_760_000;

function expiresTooLate({ after, now }: Pick<HarmInput, "after" | "now">): readonly Harm[] {
  if (after.exp === undefined || after.exp <= now + LONGEST) return [];
  const message = `it expires in more than a hundred years (exp ${after.exp}): past 292 years servers take that for expired. To last for ever, leave exp out`;
  return [{ code: "expires_too_late", message }];
}

/** An end where there was none must leave the time to renew it. */
const SOONEST_END = 3_600;

function expiresEarlier({ before, after, now, allowed }: HarmInput): readonly Harm[] {
  // What is over already is refused for that.
  if (before === undefined || after.exp === undefined || after.exp <= now) return [];
  if (allowed.has("expires_earlier") || after.exp >= (before.exp ?? now + SOONEST_END)) return [];
  const left = (exp: number): string => formatDuration(millis(Math.max(0, exp - now) * 1000));
  const inForce = before.exp === undefined ? "never does" : `does in ${left(before.exp)}`;
  const message = `it expires in ${left(after.exp)}, and what is in force ${inForce}`;
  return [{ code: "expires_earlier", message }];
}
