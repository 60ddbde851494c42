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
import {
  type HarmLeave,
  harmEverywhere,
  harmOf,
  harmOfTimes,
  isIssuedAhead,
  keepsServersDown,
} from "./gate-harm.ts";
import type { SystemUser } from "./lockout.ts";

/** Why the gate refuses a JWT. docs/reference.md lists them, and a test keeps it so. */
export const REFUSALS = {
  bad_signature: "The signature is not that of the issuer it names.",
  foreign_subject: "It is for another account.",
  untrusted_issuer:
    "Its issuer is neither the operator nor one of its signing keys, or is not a signing key where those are demanded.",
  expired: "It has expired.",
  not_yet_valid: "It is not valid yet (`nbf`).",
  stale: "It is older than the claims in force, or is already in force.",
  limit_lowered: "It lowers a limit, which can kill JetStream (nats-server #6766).",
  claims_changed: "It changes more than a renewal may: `exp`, `iat`, `jti` and `iss`.",
  servers_refuse: "Servers would refuse its claims: they check them beyond decoding them.",
  crashes_servers:
    "It maps to a function that counts to nothing (`{{partition(0,1)}}`): the first such message ends a server. Nothing overrides this.",
  system_jetstream:
    "It gives JetStream to the system account: running servers take it, and none would start again. Nothing overrides this.",
  system_imports:
    "It imports a service over `$JS.API.>` into the system account: servers of 2.9 take it, and none would start again. Nothing overrides this.",
  locked_out:
    "Nobody could use the account, or Relight could not: no connections, subscriptions or payload, all users revoked ahead of now, all denied, JetStream's API mapped away; in the system account Relight's own user revoked or shut out.",
  limit_misread:
    "A limit is a number that servers read as another (less than -1, or more than 32 bits hold), or stands in a tier that they don't know.",
  signing_key_removed:
    "It leaves none of the signing keys in force as it was, or not the one that Relight's own users of the account are signed with: removed, or given or without its scope.",
  tiers_beside_flat: "It has flat JetStream limits beside tiers, and servers drop the flat ones.",
  tier_switch:
    "It changes between flat limits and tiers while there are streams (or nobody knows): every message to them would be refused until they are updated or their servers restart (nats-server #2971).",
  below_use: "A JetStream limit would be below what is in use.",
  no_room:
    "Its JetStream limits promise more than a server that stands alone can reserve: it would give the account no JetStream at its next start.",
  issued_ahead: "Its `iat` is more than five minutes ahead: every later JWT would be older.",
  expires_too_late:
    "Its `exp` is more than a hundred years ahead: past 292 years servers take it for expired.",
  expires_earlier: "It expires before the claims in force do.",
} as const;

export type RefusalCode = keyof typeof REFUSALS;

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/**
 * What a push may change beside `exp`, `iat`, `jti` and `iss`.
 * `nothing`: a renewal. `claims`: a person looked at the differences and accepted them; limits still can't
 * be lowered. `jetstream-switch`: the two pushes of the claims toggle, which turn JetStream off and on.
 * `jetstream-limits`: a person changes an account's JetStream limits, and was shown what that lowers.
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
  /** The claims in force; absent only for an account that no server and no journal knows. */
  readonly current?: ClaimsDocument;
  /** Nobody asked yet what is in force: only what is wrong whatever that is, is refused. */
  readonly notAsked?: boolean;
  readonly candidate: ClaimsDocument;
  readonly signatureValid: boolean;
  readonly allowance: Allowance;
  readonly now: EpochSeconds;
  /** How far the servers' clocks are off: the JWT must be valid by each of them. Absent: not known. */
  readonly skew?: ClockSkew;
  /** The user that Relight is connected as; where absent the system account's claims are not judged by it. */
  readonly systemUser?: SystemUser;
  /** Why servers that stand alone can't reserve what the limits promise; empty or absent: nothing is known against it. */
  readonly lacks?: readonly string[];
  /** The account's streams, which limits may not fall below. Absent: not known. */
  readonly use?: Observation["streams"];
  /** The public key that Relight's own users of the account are signed with, where one is configured. */
  readonly accountKey?: string;
  /** Harm that a person ordered, knowing it. */
  readonly allowed?: readonly HarmLeave[];
}

export type GateDecision =
  | { readonly decision: "accept"; readonly changes: readonly ClaimChange[] }
  | {
      readonly decision: "refuse";
      readonly refusals: readonly Refusal[];
      readonly changes: readonly ClaimChange[];
    };

/** The claims that a renewal owns. */
export const RENEWAL_CLAIMS: readonly string[] = ["exp", "iat", "jti", "iss"];

/**
 * Decides whether a JWT may be pushed. The server is no gate: it answers 200 "jwt updated" to a JWT of an
 * untrusted operator, to an expired one and to an older one (tried on 2.9.10, 2.10.27 and 2.15.1).
 * All reasons for a refusal are given, not just the first.
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
  // A toggle gives back what it found, whatever became of it meanwhile.
  const isToggle = allowance === "jetstream-switch";
  return harmOf({
    ...claims,
    account,
    systemAccount: operator.systemAccount,
    strict: operator.strictSigningKeyUsage,
    allowed: new Set(isToggle ? ["expires_earlier", "below_use", "tier_switch"] : allowed),
    ...defined({ use }),
    ...defined({ accountKey }),
    ...defined({ systemUser }),
    ...defined({ lacks }),
  });
}

/**
 * Whether the claims in force are a later renewal of the very claims that came, and end no sooner: then what came was
 * overtaken on its way, and to leave it loses nothing.
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
  if (!signatureValid) refuse("bad_signature", `the signature is not that of its issuer ${iss}`);
  if (sub !== account) refuse("foreign_subject", `it is for account ${sub}, not for ${account}`);
  if (!trustedIssuers(operator).includes(iss)) refuse("untrusted_issuer", untrusted(iss, operator));
  if (exp !== undefined && exp <= now) refuse("expired", `it expired ${now - exp} s ago`);
  else if (exp !== undefined && exp <= now + ahead)
    refuse("expired", `it has expired by a server's clock, which is ${Math.round(ahead)} s ahead`);
  if (nbf !== undefined && nbf > now)
    refuse("not_yet_valid", `it is not valid before ${nbf - now} s from now`);
  else if (nbf !== undefined && nbf > now - behind)
    refuse(
      "not_yet_valid",
      `it is not valid yet by a server's clock, which is ${Math.round(behind)} s behind`,
    );
  // What says that it was issued ahead of now is no measure for what a person looked at.
  const isUndone =
    input.allowance === "claims" && current !== undefined && isIssuedAhead(current.claims, now);
  if (current !== undefined && iat < current.claims.iat && !isUndone)
    refuse(
      "stale",
      `it was issued ${current.claims.iat - iat} s before the claims in force (jti ${current.claims.jti})`,
    );
  if (current !== undefined && iat === current.claims.iat && candidate.text === current.text)
    refuse("stale", `it is the JWT in force already (jti ${current.claims.jti})`);
  return refusals;
}

function untrusted(iss: string, operator: Operator): string {
  if (iss === operator.id)
    return `operator ${operator.name} demands a signing key, but the operator's own key signed it`;
  return `its issuer ${iss} is neither operator ${operator.name} nor one of its signing keys`;
}

/** Limits that may fall, because the account is better without: the system account's JetStream, and what servers drop. */
function undoneLimits({ account, operator, current, candidate }: GateInput): readonly string[] {
  if (current === undefined) return [];
  const [before, after] = [current.claims, candidate.claims];
  const isDown = (claims: AccountClaims): boolean =>
    keepsServersDown(account, operator.systemAccount, claims);
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
  const lowered = foreign.filter(
    (change) => isLoweredLimit(change) && !isWithin(change.path, new Set(undone)),
  );
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
  // Limits that are missing altogether are all zero to the server.
  return (path === "nats.limits" || path.startsWith("nats.limits.")) && isLowered(path, before, after);
}

function show(value: unknown): string {
  return value === undefined ? "none" : JSON.stringify(value);
}
