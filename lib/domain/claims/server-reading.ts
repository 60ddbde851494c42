import { hasTiers, JETSTREAM_LIMITS, limitsOf } from "../limits/jetstream-limits.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { AccountClaims, ClaimsDocument } from "./claims.ts";

/**
 * What a server reads in claims otherwise than Relight does, by its own decoding (`decoded_jwt`); empty: the same. An id
 * and the JWT's text prove that the server has it, not what it makes of it.
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

/** Servers drop flat JetStream limits where there are tiers. */
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
  // What servers don't know they leave out, so only what they tell is compared, and what they should.
  const keys = new Set([...Object.keys(theirs), ...Object.keys(ours).filter((key) => isLimit(path, key))]);
  return [...keys].flatMap((key) => {
    const [their, our] = [theirs[key], ours[key]];
    const inner = isJsonObject(their) || isJsonObject(our);
    if (!inner) return difference(`${path}.${key}`, their, our);
    return limitDifferences(`${path}.${key}`, isJsonObject(their) ? their : {}, isJsonObject(our) ? our : {});
  });
}

const PLAIN = [
  "subs",
  "data",
  "payload",
  "imports",
  "exports",
  "wildcards",
  "disallow_bearer",
  "conn",
  "leaf",
];
const KNOWN = new Set([...PLAIN, ...JETSTREAM_LIMITS.map((limit) => limit.slice("nats.limits.".length))]);

/** Of tiers every name is one. */
const isLimit = (path: string, key: string): boolean => path.endsWith(".tiered_limits") || KNOWN.has(key);

function difference(path: string, theirs: Json | undefined, ours: Json | undefined): readonly string[] {
  const [their, our] = [theirs || 0, ours || 0];
  return their === our ? [] : [`${path} as ${JSON.stringify(their)} in place of ${JSON.stringify(our)}`];
}
