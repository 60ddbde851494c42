import type { AccountClaims } from "../claims/claims.ts";
import type { ServerResolver } from "../claims/resolver-kind.ts";
import type { LastPush } from "../journal/last-push.ts";
import { RENEWAL } from "../journal/unfinished.ts";
import { epochSeconds, isoTime, toMillis } from "../time/time.ts";
import { finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/**
 * How claims in force undo Relight's last push; for people. Undefined if they don't. Somebody pushed a JWT that is older, or
 * one made from an older copy: `nsc edit` signs what its store has with a new `iat`, but keeps the `exp` from before the
 * renewal.
 */
export function describeOverwritten(claims: AccountClaims, pushed: LastPush | undefined): string | undefined {
  if (pushed === undefined || claims.jti === pushed.jti) return undefined;
  const isOlder = claims.iat < pushed.iat;
  const endsEarlier = claims.exp !== undefined && (pushed.exp === undefined || claims.exp < pushed.exp);
  if (!isOlder && !endsEarlier) return undefined;
  const what = pushed.purpose === RENEWAL ? "the renewal" : `Relight's push (${pushed.purpose})`;
  const how = isOlder ? "an older JWT was pushed" : "a JWT made from an older copy was pushed";
  const ends = endsEarlier ? `: the account expires ${endOf(claims.exp)} instead of ${endOf(pushed.exp)}` : "";
  return `${how} over ${what} of ${isoTime(pushed.at)}${ends}; whoever pushed it has outdated claims: \`nsc pull -A\` updates them`;
}

/** @param servers those of the account: some forget what is pushed when they restart */
export function overwrittenFindings(
  claims: AccountClaims | undefined,
  pushed: LastPush | undefined,
  servers: readonly ServerResolver[] = [],
): Finding[] {
  const forgetting = servers.filter(({ resolver }) => resolver === "memory-or-url").map(({ name }) => name);
  const told = claims && describeOverwritten(claims, pushed);
  const restarted = ` (or brought back by a restart of ${forgetting.join(", ")}, which has a MEMORY or URL resolver)`;
  const message = forgetting.length === 0 ? told : told?.replace(" was pushed", ` was pushed${restarted}`);
  if (claims === undefined || message === undefined || pushed === undefined) return [];
  const evidence = { jti: claims.jti, iat: claims.iat, exp: claims.exp ?? null, pushed: pushed.jti };
  return [finding("claims.overwritten", "degraded", {}, message, evidence)];
}

const endOf = (exp: number | undefined): string => (exp === undefined ? "never" : isoTime(toMillis(epochSeconds(exp))));
