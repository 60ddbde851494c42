import type { AccountClaims } from "../claims/claims.ts";
import { limitsOf } from "../limits/jetstream-limits.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { type EpochSeconds, epochSeconds, isoTime, toMillis } from "../time/time.ts";
import { authUsersOf, isNone, mayUse, permissionsOf, revocationOf, scopeOf, textsIn } from "./lockout.ts";

/** A user that Relight signs for an account, to check it or to heal. */
export interface OwnUser {
  /** The public key that signs it. */
  readonly signedBy: string;
  /** Its `iat`. */
  readonly now: EpochSeconds;
  /** What it must be able to publish and subscribe to. */
  readonly pub: readonly string[];
  readonly sub: readonly string[];
}

/** Why the claims keep such a user out, although the account's other users may work; undefined if they don't. */
export function keptOut(claims: AccountClaims, user: OwnUser): string | undefined {
  if (authUsersOf(claims).length > 0)
    return "the account uses auth callout (authorization.auth_users), so its callout service decides about every user";
  const revoked = revocationOf(claims, "*");
  if (revoked >= user.now)
    return `the claims revoke all users issued before ${isoTime(toMillis(epochSeconds(revoked)))}`;
  const none = (["subs", "payload"] as const).find((limit) => isNone(limitsOf(claims)[limit]));
  if (none !== undefined)
    return `the claims allow nothing: ${none} is ${limitsOf(claims)[none] ?? "absent, which means 0"}`;
  return outOfScope(claims, user);
}

/** What the scope of the signing key forbids. */
function outOfScope(claims: AccountClaims, { signedBy, pub, sub }: OwnUser): string | undefined {
  const scope = scopeOf(claims, signedBy);
  if (scope === undefined) return undefined;
  const types = textsIn(scope["allowed_connection_types"]).map((type) => type.toUpperCase());
  if (types.length > 0 && !types.includes("STANDARD"))
    return `the scope of the account's signingKey allows only connections of type ${types.join(", ")}`;
  const none = (["subs", "payload"] as const).find((limit) => scope[limit] !== undefined && isNone(scope[limit]));
  if (none !== undefined) return `the scope of the account's signingKey allows nothing: ${none} is 0`;
  const permissions = permissionsOf(claims, signedBy);
  const denied = [
    ...pub.filter((subject) => !mayUse(permissions, "pub", subject)).map((subject) => `publish to ${subject}`),
    ...sub.filter((subject) => !mayUse(permissions, "sub", subject)).map((subject) => `subscribe to ${subject}`),
  ];
  if (denied.length > 0) return `the scope of the account's signingKey forbids it to ${denied[0]}`;
  return undefined;
}

/** What may be why a server refuses the user, beyond what the claims decide: who may connect from where, and when. */
export function mayKeepOut(claims: AccountClaims, signedBy: string): string | undefined {
  const scope = scopeOf(claims, signedBy);
  const lists = (["src", "times"] as const).filter((key) => isFilled(scope?.[key]));
  if (lists.length === 0) return undefined;
  return `the scope of the account's signingKey limits from where or when users connect (${lists.join(", ")})`;
}

const isFilled = (value: Json | undefined): boolean =>
  Array.isArray(value) ? value.length > 0 : isJsonObject(value) || (typeof value === "string" && value !== "");
