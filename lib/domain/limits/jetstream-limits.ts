import type { AccountClaims, ClaimsEdit } from "../claims/claims.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";

/** The `limits` object of an account's claims; empty if the claims have none. */
export function limitsOf(claims: AccountClaims): JsonObject {
  const limits = claims.nats["limits"];
  return isJsonObject(limits) ? limits : {};
}

/**
 * Whether the claims give the account JetStream: any storage in a tier, or in flat limits if there are no tiers
 * (`OperatorLimits.IsJSEnabled` of the NATS JWT library, which drops flat limits beside tiers).
 */
export function enablesJetStream(claims: AccountClaims): boolean {
  const limits = limitsOf(claims);
  const tiers = limits["tiered_limits"];
  return isJsonObject(tiers) && hasTiers(limits)
    ? Object.values(tiers).some((tier) => isJsonObject(tier) && hasStorage(tier))
    : hasStorage(limits);
}

/** Whether the claims have flat JetStream storage limits, even if servers ignore them. */
export const hasFlatJetStream = (claims: AccountClaims): boolean => hasStorage(limitsOf(claims));

const hasStorage = (limits: JsonObject): boolean =>
  isNonZero(limits["mem_storage"]) || isNonZero(limits["disk_storage"]);

/** The edits that remove JetStream from an account: no storage, no tiers. */
export function withoutJetStream(claims: AccountClaims): readonly ClaimsEdit[] {
  const limits = limitsOf(claims);
  const remove = (key: string): ClaimsEdit[] =>
    limits[key] === undefined ? [] : [{ path: ["nats", "limits", key], value: undefined }];
  return [...remove("mem_storage"), ...remove("disk_storage"), ...remove("tiered_limits")];
}

/** The paths that {@link withoutJetStream} may change. */
export const JETSTREAM_SWITCHES = ["mem_storage", "disk_storage", "tiered_limits"].map((key) => `nats.limits.${key}`);

/** The paths of the flat JetStream limits, which servers drop beside tiers. */
export const FLAT_LIMITS = [
  ...["mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending", "mem_max_stream_bytes"],
  ...["disk_max_stream_bytes", "max_bytes_required"],
].map((key) => `nats.limits.${key}`);

/** The paths of all JetStream limits, flat and tiered. */
export const JETSTREAM_LIMITS = [...FLAT_LIMITS, "nats.limits.tiered_limits"];

/**
 * Limits in which zero means "no limit" (nats-server checks `limit > 0 && …`). In all others zero means "none", and -1
 * "no limit".
 */
const ZERO_IS_UNLIMITED = new Set([
  ...["streams", "consumer", "max_ack_pending"],
  ...["mem_max_stream_bytes", "disk_max_stream_bytes"],
]);
/** Switches that restrict the account when turned on, and the one that does when turned off. */
const TIGHTENED_BY_TRUE = new Set(["max_bytes_required", "disallow_bearer"]);
const TIGHTENED_BY_FALSE = new Set(["wildcards"]);

const COUNTED_IN_32_BITS = new Set(["conn", "leaf", "subs", "payload"]);

/** Whether a limit (the last part of `path`) allows less `after` than it did `before`. */
export function isLowered(path: string, before: Json | undefined, after: Json | undefined): boolean {
  const key = path.slice(path.lastIndexOf(".") + 1);
  if (TIGHTENED_BY_TRUE.has(key)) return before !== true && after === true;
  if (TIGHTENED_BY_FALSE.has(key)) return before === true && after !== true;
  return allowance(key, after) < allowance(key, before);
}

function allowance(key: string, value: Json | undefined): number {
  // A tier, or `tiered_limits`, that is removed or replaced is judged as one value.
  if (isJsonObject(value)) return Number.POSITIVE_INFINITY;
  // Numbers beyond 2^53 arrive as text.
  const number = Number(value ?? 0);
  // For these only -1 is no limit; with any other negative value servers refuse everybody.
  if (COUNTED_IN_32_BITS.has(key)) return number === -1 ? Number.POSITIVE_INFINITY : Math.max(0, number);
  if (number < 0 || (number === 0 && ZERO_IS_UNLIMITED.has(key))) return Number.POSITIVE_INFINITY;
  return number;
}

function isNonZero(value: Json | undefined): boolean {
  return typeof value === "number" && value !== 0;
}

export function hasTiers(limits: JsonObject): boolean {
  const tiers = limits["tiered_limits"];
  return isJsonObject(tiers) && Object.keys(tiers).length > 0;
}
