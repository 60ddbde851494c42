import type { AccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { enablesJetStream, limitsOf } from "../limits/jetstream-limits.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { type EpochSeconds, formatDuration, millis } from "../time/time.ts";
import { mappingsOver } from "./mappings.ts";
import { doOverlap, isContained } from "./subjects.ts";

/** The system account's user that Relight is connected as, from its JWT. */
export interface SystemUser {
  /** Its public key, `U…`. */
  readonly id: string;
  /** The public key that signed it. */
  readonly signedBy: string;
  readonly iat: number;
  /** Whether it has its own permissions; otherwise the account's default permissions apply. */
  readonly hasPermissions: boolean;
}

export interface Lockout {
  readonly code: "locked_out" | "signing_key_removed";
  readonly message: string;
}

export interface LockoutInput {
  readonly account: AccountId;
  readonly systemAccount: string | undefined;
  /** Absent if no claims in force are known. */
  readonly before: AccountClaims | undefined;
  readonly after: AccountClaims;
  readonly now: EpochSeconds;
  /** The public key that signs Relight's own users of the account, if configured. */
  readonly accountKey?: string;
  readonly systemUser?: SystemUser;
  /** Whether users must be signed by a signing key (`strict_signing_key_usage`). */
  readonly strict?: boolean;
}

/** How claims would lock out everybody, or Relight, which then could not correct them. */
export function lockouts(input: LockoutInput): readonly Lockout[] {
  const rules = [withoutLimits, revokedAll, signingKeys, permissions, jetStreamApi];
  return [...rules, ...(input.account === input.systemAccount ? SYSTEM_RULES : [])].flatMap((rule) => rule(input));
}

const lockedOut = (message: string): readonly Lockout[] => [{ code: "locked_out", message }];

const NEEDED = { conn: "connect", subs: "subscribe", payload: "publish" } as const;

/**
 * Limits of zero, with which nobody can use the account. To servers only -1 is no limit, and an absent limit is zero. If
 * claims are in force, this is a lowered limit instead.
 */
function withoutLimits({ before, after }: LockoutInput): readonly Lockout[] {
  if (before !== undefined) return [];
  return Object.entries(NEEDED).flatMap(([limit, verb]): readonly Lockout[] => {
    const value = limitsOf(after)[limit];
    if (!isNone(value)) return [];
    return lockedOut(`nats.limits.${limit} would be ${value ?? "absent, which means 0"}: nobody could ${verb}`);
  });
}

/** Whether a value of conn, subs or payload allows nothing. */
export const isNone = (value: Json | undefined): boolean => Number(value ?? 0) <= 0 && Number(value) !== -1;

function revokedAll({ before, after, now }: LockoutInput): readonly Lockout[] {
  const at = revocationOf(after, "*");
  if (at <= now || at <= revocationOf(before, "*")) return [];
  return lockedOut(
    `it revokes all users (“*”) for the next ${formatDuration(millis((at - now) * 1000))}: until then nobody could connect, including Relight`,
  );
}

/** Users issued up to this time are revoked; epoch seconds, 0 if none. */
export function revocationOf(claims: AccountClaims | undefined, user: string): number {
  const revocations = claims?.nats["revocations"];
  return isJsonObject(revocations) ? Number(revocations[user] ?? 0) : 0;
}

/** The public keys that may sign users, besides the account's own. A key with a scope signs other users than one without. */
function signingKeysOf(claims: AccountClaims | undefined): ReadonlyMap<string, "plain" | "scoped"> {
  const keys = claims?.nats["signing_keys"];
  if (!Array.isArray(keys)) return new Map();
  const kinds = new Map<string, "plain" | "scoped">();
  // If a key appears twice, the last one counts.
  for (const key of keys as readonly Json[]) {
    if (isJsonObject(key)) kinds.set(String(key["key"]), "scoped");
    if (typeof key === "string") kinds.set(key, "plain");
  }
  return kinds;
}

function signingKeys(input: LockoutInput): readonly Lockout[] {
  const { account, systemAccount, before, after, accountKey, systemUser, strict } = input;
  const [had, has] = [signingKeysOf(before), signingKeysOf(after)];
  if (strict && before === undefined && has.size === 0)
    return lockedOut(
      "it has no signing key, but the operator requires signing keys for users (strict_signing_key_usage)",
    );
  const lost = [...had.keys()].filter((key) => had.get(key) !== has.get(key));
  const lose = (key: string): string =>
    has.has(key)
      ? `it ${has.get(key) === "scoped" ? "gives the signing key a scope" : "takes the scope from the signing key"} (${key})`
      : `it removes the signing key ${key}`;
  const own = account === systemAccount ? systemUser?.signedBy : accountKey;
  if (own !== undefined && lost.includes(own)) {
    const whose =
      account === systemAccount
        ? "which signed Relight's system user"
        : "which signs Relight's users of the account (signingKey)";
    return [{ code: "signing_key_removed", message: `${lose(own)}, ${whose}: servers would refuse it` }];
  }
  if (lost.length === 0 || lost.length < had.size) return [];
  const message = `${lost.map(lose).join(", ")}, and keeps none of those in force: servers would refuse every user that they signed; add the new key first`;
  return [{ code: "signing_key_removed", message }];
}

/** Users without their own permissions have the account's. */
function permissions({ before, after }: LockoutInput): readonly Lockout[] {
  return (["pub", "sub"] as const).flatMap((way) => {
    if (!deniesAll(after, way) || (before !== undefined && deniesAll(before, way))) return [];
    const verb = way === "pub" ? "publish" : "subscribe";
    return lockedOut(
      `nats.default_permissions deny all subjects: users without their own permissions could not ${verb}`,
    );
  });
}

type Way = "pub" | "sub";

/** The template of a scoped signing key; undefined if the key has no scope. */
export function scopeOf({ nats }: AccountClaims, key: string | undefined): JsonObject | undefined {
  const keys = Array.isArray(nats["signing_keys"]) ? (nats["signing_keys"] as readonly Json[]) : [];
  const scope = keys.filter(isJsonObject).find((it) => it["key"] === key);
  return scope && objectOf(scope["template"]);
}

/** The permissions of a user without its own: those of the scope that signed it, otherwise the account's. */
export function permissionsOf(claims: AccountClaims, signedBy?: string): JsonObject {
  return scopeOf(claims, signedBy) ?? objectOf(claims.nats["default_permissions"]);
}

const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {});
export const textsIn = (value: Json | undefined): readonly string[] =>
  (Array.isArray(value) ? value : []).filter((it: Json) => typeof it === "string");

const deniesAll = (claims: AccountClaims, way: Way): boolean =>
  textsIn(objectOf(permissionsOf(claims)[way])["deny"]).includes(">");

/** Whether these permissions allow the subject. */
export function mayUse(permissions: JsonObject, way: Way, subject: string): boolean {
  const { allow, deny } = objectOf(permissions[way]);
  // With `resp` but no allowed subjects, a user may publish only responses.
  const answersOnly = way === "pub" && isJsonObject(permissions["resp"]);
  const isAllowed =
    textsIn(allow).some((it) => isContained(subject, it)) || (textsIn(allow).length === 0 && !answersOnly);
  return isAllowed && !textsIn(deny).some((it) => doOverlap(subject, it));
}

/** If JetStream's API is mapped to other subjects, requests of clients and of Relight do not reach it. */
function jetStreamApi({ before, after }: LockoutInput): readonly Lockout[] {
  if (!enablesJetStream(after)) return [];
  return mappedAway(before, after, ["$JS.API.>", "$JS.ACK.>"], "JetStream's API");
}

function mappedAway(
  before: AccountClaims | undefined,
  after: AccountClaims,
  subjects: readonly string[],
  what: string,
): readonly Lockout[] {
  const known = before === undefined ? [] : subjects.flatMap((it) => mappingsOver(before, it));
  const isKnown = ({ from, to }: { from: string; to: string }): boolean =>
    known.some((it) => it.from === from && it.to === to);
  const [first] = subjects.flatMap((it) => mappingsOver(after, it)).filter((it) => !isKnown(it));
  if (first === undefined) return [];
  return lockedOut(
    `it maps ${JSON.stringify(first.from)} to ${JSON.stringify(first.to)}: requests would no longer reach ${what}`,
  );
}

/** Subjects that Relight publishes and subscribes to as the system user. */
const USED = {
  pub: ["$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.PACK", "$SYS.REQ.SERVER.PING.STATSZ", "$SYS.REQ.ACCOUNT.A.INFO"],
  sub: ["_INBOX.x.y", "$SYS.ACCOUNT.A.DISCONNECT"],
} as const;

/** Only the system account could undo these. */
const SYSTEM_RULES: readonly ((input: LockoutInput) => readonly Lockout[])[] = [
  ({ before, after }) => mappedAway(before, after, ["$SYS.REQ.>"], "servers"),
  ({ before, after, systemUser }) => {
    if (systemUser === undefined) return [];
    const isRevoked = (claims: AccountClaims | undefined): boolean =>
      [systemUser.id, "*"].some((user) => revocationOf(claims, user) >= systemUser.iat);
    return isRevoked(after) && !isRevoked(before) ? lockedOut("it revokes Relight's own system user") : [];
  },
  ({ before, after, systemUser }) => {
    if (systemUser === undefined || systemUser.hasPermissions) return [];
    return (["pub", "sub"] as const).flatMap((way) => {
      const [was, is] = [before, after].map((it) => it && permissionsOf(it, systemUser.signedBy));
      const lost = USED[way].find((it) => !mayUse(is ?? {}, way, it) && (was === undefined || mayUse(was, way, it)));
      const verb = way === "pub" ? "publish" : "subscribe";
      return lost === undefined
        ? []
        : lockedOut(`its permissions keep Relight's own system user from ${verb}ing (${lost})`);
    });
  },
  ({ before, after, systemUser }) => {
    const isKept = (claims: AccountClaims | undefined): boolean => {
      const users = authUsersOf(claims);
      return users.length === 0 || (systemUser !== undefined && users.includes(systemUser.id));
    };
    if (isKept(after) || !isKept(before)) return [];
    return lockedOut("it has auth_users, but Relight's own system user is not among them");
  },
];

/** The users that need no auth callout; empty if the account has none. */
export function authUsersOf(claims: AccountClaims | undefined): readonly string[] {
  const authorization = claims?.nats["authorization"];
  return isJsonObject(authorization) ? textsIn(authorization["auth_users"]) : [];
}
