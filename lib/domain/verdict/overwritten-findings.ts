import type { AccountClaims } from "../claims/claims.ts";
import type { ServerResolver } from "../claims/resolver-kind.ts";
import { type ChangedClaim, isSame, type LastPush, valueAt } from "../journal/last-push.ts";
import { RENEWAL } from "../journal/unfinished.ts";
import { nameForShell } from "../limits/fit.ts";
import type { Json } from "../time/json.ts";
import { listed } from "../time/text.ts";
import { type EpochMillis, epochSeconds, isoTime, toMillis } from "../time/time.ts";
import { finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/** How claims in force undo what Relight pushed. */
export interface Overwritten {
  /** For people; names the claims that differ. */
  readonly what: string;
  readonly advice: string;
}

/** How many claims a finding names. */
const MOST_NAMED = 4;

/**
 * How claims in force undo what Relight pushed; undefined if they don't. Somebody pushed a JWT that is older, or one made
 * from an older copy: `nsc edit` signs what its store has with a new `iat`, but keeps the rest from before. A server with a
 * MEMORY or URL resolver brings back an older one when it restarts.
 * @param servers those of the account
 */
export function overwritten(
  claims: AccountClaims,
  pushed: LastPush | undefined,
  servers: readonly Pick<ServerResolver, "name" | "resolver">[] = [],
): Overwritten | undefined {
  if (pushed === undefined || claims.jti === pushed.jti) return undefined;
  const isOlder = claims.iat < pushed.iat;
  const endsEarlier = claims.exp !== undefined && (pushed.exp === undefined || claims.exp < pushed.exp);
  const undone = undoneIn(claims, pushed);
  const [first] = undone;
  if (!isOlder && !endsEarlier && first === undefined) return undefined;
  const forgetting = servers.filter(({ resolver }) => resolver === "memory-or-url").map(({ name }) => name);
  const isCopy = undone.length > 0 || (claims.exp !== undefined && pushed.ends.includes(claims.exp));
  const kind = isOlder ? "an older JWT" : isCopy ? "a JWT made from an older copy" : "a JWT that ends earlier";
  const restarted =
    forgetting.length === 0
      ? ""
      : ` (or brought back by a restart of ${forgetting.join(", ")}, which has a MEMORY or URL resolver)`;
  const over = isOlder || endsEarlier || first === undefined ? pushed : first;
  const ends = endsEarlier ? [`the account expires ${endOf(claims.exp)} instead of ${endOf(pushed.exp)} (exp)`] : [];
  const others = undone.map(({ path, is, now }) => `${path} is ${shown(is)} again instead of ${shown(now)}`);
  const differs = [...ends, ...others];
  const how = differs.length === 0 ? "" : `: ${listed(differs, MOST_NAMED)}`;
  return {
    what: `${kind} was pushed${restarted} over ${describePush(over)}${how}`,
    advice: adviceFor(claims, { undone, endsEarlier, keepsNone: isKeptNowhere(servers) }),
  };
}

interface Undone extends ChangedClaim {
  readonly path: string;
  readonly is: Json | undefined;
}

/** The claims that are again as they were before Relight changed them. */
function undoneIn(claims: AccountClaims, { changed }: LastPush): readonly Undone[] {
  return [...changed].flatMap(([path, change]) => {
    const is = path === "iss" ? claims.iss : valueAt(claims.nats, path);
    const isBack = !isSame(is, change.now) && change.before.some((value) => isSame(value, is));
    return isBack ? [{ ...change, path, is }] : [];
  });
}

const describePush = ({ purpose, at }: { readonly purpose: string; readonly at: EpochMillis }): string =>
  `${purpose === RENEWAL ? "the renewal" : `Relight's push (${purpose})`} of ${isoTime(at)}`;

const shown = (value: Json | undefined): string => (value === undefined ? "absent" : JSON.stringify(value));

/** No server has a resolver that nsc could pull from. */
const isKeptNowhere = (servers: readonly Pick<ServerResolver, "resolver">[]): boolean =>
  servers.length > 0 && servers.every(({ resolver }) => resolver !== undefined && resolver !== "full");

/** Only the renewed JWT is worth pulling: until then the cluster has the outdated claims, too. */
function adviceFor(
  claims: AccountClaims,
  how: { readonly undone: readonly Undone[]; readonly endsEarlier: boolean; readonly keepsNone: boolean },
): string {
  const name = nameForShell(claims);
  const again =
    how.undone.length === 0
      ? []
      : [`make the change again${isLimit(how.undone) ? ` (\`relight jetstream limits ${name}\`)` : ""}`];
  const renew =
    how.endsEarlier || again.length === 0 ? [`renew the account (\`relight renew ${name}\` does it at once)`] : [];
  const pull = how.keepsNone
    ? "then put its new JWT into resolver_preload, or where the resolver's URL serves it"
    : "then run `nsc pull -A` where the outdated claims came from";
  return [...again, ...renew, pull].join(", ");
}

const isLimit = (undone: readonly Undone[]): boolean => undone.some(({ path }) => path !== "iss");

/** @param servers of the account */
export function overwrittenFindings(
  claims: AccountClaims | undefined,
  pushed: LastPush | undefined,
  servers: readonly ServerResolver[] = [],
): Finding[] {
  const found = claims && overwritten(claims, pushed, servers);
  if (claims === undefined || found === undefined || pushed === undefined) return [];
  const undone = undoneIn(claims, pushed).map(({ path }) => path);
  const evidence = { jti: claims.jti, iat: claims.iat, exp: claims.exp ?? null, pushed: pushed.jti, undone };
  return [finding("claims.overwritten", "degraded", {}, found.what, evidence, found.advice)];
}

const endOf = (exp: number | undefined): string => (exp === undefined ? "never" : isoTime(toMillis(epochSeconds(exp))));
