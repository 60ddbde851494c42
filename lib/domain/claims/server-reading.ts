import { hasTiers, JETSTREAM_LIMITS, limitsOf } from "../limits/jetstream-limits.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { AccountClaims, ClaimsDocument } from "./claims.ts";

/**
 * What a server decodes differently from Relight (`decoded_jwt`); empty if nothing. The JWT's id and text only prove that
 * the server has the JWT, not how it reads it.
 */
export function readOtherwise(document: ClaimsDocument, decoded: JsonObject): readonly string[] {
  const { claims } = document;
  const nats = decoded["nats"];
  const theirs = isJsonObject(nats) && isJsonObject(nats["limits"]) ? nats["limits"] : {};
  return [
    ...["sub", "iss", "jti", "iat", "exp", "nbf"].flatMap((claim) =>
      difference(claim, decoded[claim], claims[claim as keyof AccountClaims] as Json | undefined),
    ),
    ...limitDifferences("nats.limits", theirs, asServersKeep(claims)),
  ];
}

/** Servers drop flat JetStream limits if there are tiers. */
function asServersKeep(claims: AccountClaims): JsonObject {
  const limits = limitsOf(claims);
  if (!hasTiers(limits)) return limits;
  return Object.fromEntries(
    Object.entries(limits).filter(
      ([key]) => key === "tiered_limits" || !JETSTREAM_LIMITS.includes(`nats.limits.${key}`),
    ),
  );
}

function limitDifferences(path: string, theirs: JsonObject, ours: JsonObject): readonly string[] {
  // Servers omit claims they do not know, so compare only those they report, and those every version knows.
  const keys = new Set([...Object.keys(theirs), ...Object.keys(ours).filter((key) => isLimit(path, key))]);
  return [...keys].flatMap((key) => {
    const [their, our] = [theirs[key], ours[key]];
    const inner = isJsonObject(their) || isJsonObject(our);
    if (!inner) return difference(`${path}.${key}`, their, our);
    return limitDifferences(`${path}.${key}`, isJsonObject(their) ? their : {}, isJsonObject(our) ? our : {});
  });
}

const PLAIN = ["subs", "data", "payload", "imports", "exports", "wildcards", "disallow_bearer", "conn", "leaf"];
const KNOWN = new Set([...PLAIN, ...JETSTREAM_LIMITS.map((limit) => limit.slice("nats.limits.".length))]);

/** Every name in `tiered_limits` is a limit. */
const isLimit = (path: string, key: string): boolean => path.endsWith(".tiered_limits") || KNOWN.has(key);

function difference(path: string, theirs: Json | undefined, ours: Json | undefined): readonly string[] {
  const [their, our] = [theirs || 0, ours || 0];
  return their === our ? [] : [`${path} as ${JSON.stringify(their)} instead of ${JSON.stringify(our)}`];
}
