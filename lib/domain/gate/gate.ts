import type { AccountId } from "../claims/account.ts";
import { type AccountClaims, type ClaimChange, type ClaimsDocument, diffClaims } from "../claims/claims.ts";
import { type Operator, trustedIssuers } from "../claims/operator.ts";
import {
  FLAT_LIMITS,
  hasTiers,
  isLowered,
  JETSTREAM_LIMITS,
  JETSTREAM_SWITCHES,
  limitsOf,
} from "../limits/jetstream-limits.ts";
import { type ClockSkew, NO_SKEW } from "../observation/clocks.ts";
import type { Observation } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import type { EpochSeconds } from "../time/time.ts";
import { type HarmLeave, harmEverywhere, harmOf, harmOfTimes, isIssuedAhead, keepsServersDown } from "./gate-harm.ts";
import type { SystemUser } from "./lockout.ts";

/** Why the gate refuses a JWT. docs/reference.md lists all reasons; a test enforces it. */
export const REFUSALS = {
  bad_signature: "The issuer that it names did not sign it.",
  foreign_subject: "It is for another account.",
  untrusted_issuer:
    "Its issuer is neither the operator nor one of its signing keys, or it is the operator's own key although the operator requires signing keys.",
  expired: "It has expired.",
  not_yet_valid: "It is not valid yet (`nbf`).",
  stale: "It is older than the claims in force, or is already in force.",
  limit_lowered: "It lowers a limit, which can kill JetStream (nats-server #6766).",
  claims_changed: "It changes more than a renewal may: `exp`, `iat`, `jti` and `iss`.",
  servers_refuse: "It fails the checks that servers do after decoding: each server would answer with an error.",
  crashes_servers:
    "It maps to a function whose count is not a positive 32-bit number (`{{partition(0,1)}}`): the first matching message crashes the server. No option overrides this.",
  system_jetstream:
    "It gives JetStream to the system account: running servers accept this, but none could start again. No option overrides this.",
  system_imports:
    "It imports a service over `$JS.API.>` into the system account: running 2.9 servers accept this, but none could start again. No option overrides this.",
  locked_out:
    "Nobody could use the account, or Relight could not: no connections, subscriptions or payload, all users revoked with a future date, all subjects denied, or JetStream's API mapped to other subjects; in the system account also if Relight's own user would be revoked or shut out.",
  limit_misread:
    "Servers would read a limit as a different number (below -1, or above 32 bits), or do not know its tier.",
  signing_key_removed:
    "It keeps no signing key in force unchanged, or changes the one that signs Relight's users of the account. Gaining or losing a scope is a change.",
  tiers_beside_flat: "It has flat JetStream limits beside tiers, and servers silently drop the flat ones.",
  tier_switch:
    "It changes between flat limits and tiers while streams exist or may exist: servers would refuse every message to them until they are updated or the servers restart (nats-server #2971).",
  below_use: "A JetStream limit would be below current usage.",
  no_room:
    "Its JetStream limits promise more than a standalone server can reserve: at its next start it would give the account no JetStream.",
  issued_ahead: "Its `iat` is more than five minutes ahead: every later JWT would be older.",
  expires_too_late: "Its `exp` is more than a hundred years ahead: beyond 292 years servers treat it as expired.",
  expires_earlier: "It expires before the claims in force do.",
} as const;

export type RefusalCode = keyof typeof REFUSALS;

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/**
 * What a push may change besides `exp`, `iat`, `jti` and `iss`.
 * `nothing`: a renewal. `claims`: a person accepted the differences; limits still can't be lowered.
 * `jetstream-switch`: the two pushes of a toggle, which turn JetStream off and on.
 * `jetstream-limits`: a person changes an account's JetStream limits, and saw which ones that lowers.
 */
export type Allowance = "nothing" | "claims" | "jetstream-switch" | "jetstream-limits";

const ALLOWED: Readonly<Record<Allowance, readonly string[]>> = {
  nothing: [],
  claims: [],
  "jetstream-switch": JETSTREAM_SWITCHES,
  "jetstream-limits": JETSTREAM_LIMITS,
};

export interface GateInput {
  readonly account: AccountId;
  readonly operator: Operator;
  /** The claims in force; absent only for an account that neither the servers nor the journal know. */
  readonly current?: ClaimsDocument;
  /** The claims in force are not known yet: only check what does not depend on them. */
  readonly notAsked?: boolean;
  readonly candidate: ClaimsDocument;
  readonly signatureValid: boolean;
  readonly allowance: Allowance;
  readonly now: EpochSeconds;
  /** How far the servers' clocks are off. The JWT must be valid by each. Absent means unknown. */
  readonly skew?: ClockSkew;
  /** The user that Relight is connected as. If absent, the checks for Relight's own user are skipped. */
  readonly systemUser?: SystemUser;
  /** Why standalone servers can't reserve what the limits promise; empty or absent if no reason is known. */
  readonly lacks?: readonly string[];
  /** The account's streams, for limits that must not fall below their usage. Absent means unknown. */
  readonly use?: Observation["streams"];
  /** The public key that signs Relight's own users of the account, if configured. */
  readonly accountKey?: string;
  /** Harm that a person allowed. */
  readonly allowed?: readonly HarmLeave[];
}

export type GateDecision =
  | { readonly decision: "accept"; readonly changes: readonly ClaimChange[] }
  | {
      readonly decision: "refuse";
      readonly refusals: readonly Refusal[];
      readonly changes: readonly ClaimChange[];
    };

/** The claims that a renewal changes. */
export const RENEWAL_CLAIMS: readonly string[] = ["exp", "iat", "jti", "iss"];

/**
 * Decides whether a JWT may be pushed, with all reasons for a refusal. Servers do not decide this: they answer 200 "jwt
 * updated" to an expired JWT, an older one, and one from an untrusted operator (tested on 2.9.10, 2.10.27 and 2.15.1).
 */
export function gate(input: GateInput): GateDecision {
  const { current, candidate, allowance } = input;
  const changes = current === undefined ? [] : diffClaims(current, candidate);
  const refusals = [
    ...tokenRefusals(input),
    ...changeRefusals(changes, allowance, undoneLimits(input)),
    ...harmRefusals(input),
  ];
  if (refusals.length > 0) return { decision: "refuse", refusals, changes };
  return { decision: "accept", changes };
}

function harmRefusals(input: GateInput): readonly Refusal[] {
  const {
    account,
    operator,
    current,
    candidate,
    allowance,
    now,
    use,
    accountKey,
    systemUser,
    lacks,
    allowed = [],
  } = input;
  const claims = { before: current?.claims, after: candidate.claims, now };
  if (input.notAsked) return [...harmEverywhere(candidate.claims), ...harmOfTimes(claims)];
  // A toggle restores what it found, whatever happened meanwhile.
  const isToggle = allowance === "jetstream-switch";
  return harmOf({
    ...claims,
    account,
    systemAccount: operator.systemAccount,
    strict: operator.strictSigningKeyUsage,
    allowed: new Set(isToggle ? ["expires_earlier", "below_use", "tier_switch"] : allowed),
    ...defined({ use, accountKey, systemUser, lacks }),
  });
}

/**
 * Whether the claims in force are a later renewal of the same claims and expire no sooner. Then the candidate is
 * obsolete, and skipping it loses nothing.
 */
export function isOvertaken(candidate: ClaimsDocument, inForce: ClaimsDocument): boolean {
  const [own, newer] = [candidate.claims, inForce.claims];
  const endsNoSooner = newer.exp === undefined || (own.exp !== undefined && own.exp <= newer.exp);
  const isSame = changeRefusals(diffClaims(inForce, candidate), "nothing").length === 0;
  return own.sub === newer.sub && own.iat < newer.iat && endsNoSooner && isSame;
}

function tokenRefusals(input: GateInput): Refusal[] {
  const { account, operator, current, candidate, signatureValid, now, skew = NO_SKEW } = input;
  const { ahead, behind } = { ahead: skew.ahead / 1000, behind: skew.behind / 1000 };
  const { sub, iss, exp, nbf, iat } = candidate.claims;
  const refusals: Refusal[] = [];
  const refuse = (code: RefusalCode, message: string): void => {
    refusals.push({ code, message });
  };
  if (!signatureValid) refuse("bad_signature", `its issuer ${iss} did not sign it`);
  if (sub !== account) refuse("foreign_subject", `it is for account ${sub}, not for ${account}`);
  if (!trustedIssuers(operator).includes(iss)) refuse("untrusted_issuer", untrusted(iss, operator));
  if (exp !== undefined && exp <= now) refuse("expired", `it expired ${now - exp} s ago`);
  else if (exp !== undefined && exp <= now + ahead)
    refuse("expired", `it has expired by a server's clock, which is ${Math.round(ahead)} s ahead`);
  if (nbf !== undefined && nbf > now) refuse("not_yet_valid", `it is not valid before ${nbf - now} s from now`);
  else if (nbf !== undefined && nbf > now - behind)
    refuse("not_yet_valid", `it is not valid yet by a server's clock, which is ${Math.round(behind)} s behind`);
  // An `iat` in the future must not block a JWT that a person accepted.
  const isUndone = input.allowance === "claims" && current !== undefined && isIssuedAhead(current.claims, now);
  if (current !== undefined && iat < current.claims.iat && !isUndone)
    refuse(
      "stale",
      `it was issued ${current.claims.iat - iat} s before the claims in force (jti ${current.claims.jti})`,
    );
  if (current !== undefined && iat === current.claims.iat && candidate.text === current.text)
    refuse("stale", `it is already in force (jti ${current.claims.jti})`);
  return refusals;
}

function untrusted(iss: string, operator: Operator): string {
  if (iss === operator.id)
    return `operator ${operator.name} requires a signing key, but the operator's own key signed it`;
  return `its issuer ${iss} is neither operator ${operator.name} nor one of its signing keys`;
}

/** Limits that may be lowered: JetStream of the system account, and flat limits that servers drop. */
function undoneLimits({ account, operator, current, candidate }: GateInput): readonly string[] {
  if (current === undefined) return [];
  const [before, after] = [current.claims, candidate.claims];
  const isDown = (claims: AccountClaims): boolean => keepsServersDown(account, operator.systemAccount, claims);
  if (isDown(before) && !isDown(after)) return JETSTREAM_LIMITS;
  return hasTiers(limitsOf(before)) ? FLAT_LIMITS : [];
}

function changeRefusals(
  changes: readonly ClaimChange[],
  allowance: Allowance,
  undone: readonly string[] = [],
): Refusal[] {
  const allowed = new Set([...RENEWAL_CLAIMS, ...ALLOWED[allowance]]);
  const foreign = changes.filter(({ path }) => path !== "sub" && !isWithin(path, allowed));
  const lowered = foreign.filter((change) => isLoweredLimit(change) && !isWithin(change.path, new Set(undone)));
  const others = foreign.filter((change) => !lowered.includes(change));
  const refusals: Refusal[] = lowered.map(({ path, before, after }) => ({
    code: "limit_lowered",
    message: `it lowers ${path} from ${show(before)} to ${show(after)}`,
  }));
  if (allowance !== "claims" && others.length > 0)
    refusals.push({
      code: "claims_changed",
      message: `it changes more than a renewal may: ${others.map(({ path }) => path).join(", ")}`,
    });
  return refusals;
}

function isWithin(path: string, allowed: ReadonlySet<string>): boolean {
  return [...allowed].some((prefix) => path === prefix || path.startsWith(`${prefix}.`));
}

function isLoweredLimit({ path, before, after }: ClaimChange): boolean {
  // To servers, missing limits are zero.
  return (path === "nats.limits" || path.startsWith("nats.limits.")) && isLowered(path, before, after);
}

function show(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value);
}
