import type { AccountClaims, ClaimsEdit } from "../claims/claims.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { hasTiers, isLowered, limitsOf } from "./jetstream-limits.ts";

/** The claims of an account's JetStream limits; in `nats.limits`, or in one of its tiers. -1 is no limit. */
export const LIMIT_CLAIMS = {
  memory: "mem_storage",
  storage: "disk_storage",
  streams: "streams",
  consumers: "consumer",
  maxAckPending: "max_ack_pending",
  memoryMaxStreamBytes: "mem_max_stream_bytes",
  storageMaxStreamBytes: "disk_max_stream_bytes",
  maxBytesRequired: "max_bytes_required",
} as const;

export type LimitName = keyof typeof LIMIT_CLAIMS;

/** The limits that a person asks for; all others stay. Bytes and counts; -1 is no limit. */
export type LimitRequest = { readonly [name in Exclude<LimitName, "maxBytesRequired">]?: number } & {
  readonly maxBytesRequired?: boolean;
  /** `R1`, `R3`, …: limits for streams with that many replicas. Absent: the account's flat limits. */
  readonly tier?: string;
  /** Replaces the flat limits with these tiers. Each gets the flat limits, except those named. */
  readonly toTiers?: readonly string[];
};

export type LimitEdits =
  | { readonly ok: true; readonly edits: readonly ClaimsEdit[] }
  | { readonly ok: false; readonly problem: string };

const LIMITS = ["nats", "limits"] as const;
const FLAT_CLAIMS: readonly string[] = Object.values(LIMIT_CLAIMS);

/** The replica count of a tier's streams; undefined if servers do not know the tier. */
export function replicasOf(tier: string): number | undefined {
  const [, replicas] = /^R([1-9]\d?)$/.exec(tier) ?? [];
  return replicas === undefined ? undefined : Number(replicas);
}

/**
 * The edits that give an account the requested limits. It cannot have flat limits and tiers: servers silently accept both
 * and drop the flat ones (tested on 2.9.10, 2.10.27 and 2.15.1), which leaves streams outside the tiers without limits.
 */
export function limitEdits(claims: AccountClaims, request: LimitRequest): LimitEdits {
  const { tier, toTiers } = request;
  const limits = limitsOf(claims);
  if (toTiers !== undefined) return tierEdits(limits, request, toTiers);
  const problem = mixture(limits, tier);
  if (problem !== undefined) return { ok: false, problem };
  const place = tier === undefined ? LIMITS : [...LIMITS, "tiered_limits", tier];
  const present = tier === undefined ? limits : (tiersOf(limits)[tier] ?? {});
  const set = namedLimits(request)
    .filter(([claim, value]) => present[claim] !== value)
    .map(([claim, value]) => ({ path: [...place, claim], value }));
  // Without storage the other limits have no effect, but they would still be flat limits beside a tier.
  const leftover = tier === undefined ? [] : FLAT_CLAIMS.filter((claim) => limits[claim] !== undefined);
  const remove = leftover.map((claim) => ({ path: [...LIMITS, claim], value: undefined }));
  return { ok: true, edits: [...remove, ...set] };
}

/** Changes from flat limits to tiers all at once, because servers drop the flat limits beside the first tier. */
function tierEdits(limits: JsonObject, request: LimitRequest, tiers: readonly string[]): LimitEdits {
  const wrong = tiers.find((tier) => replicasOf(tier) === undefined);
  if (wrong !== undefined || tiers.length === 0) return { ok: false, problem: noTierName(wrong ?? "") };
  if (request.tier !== undefined) return { ok: false, problem: "--tier and --to-tiers exclude each other" };
  if (hasTiers(limits)) return { ok: false, problem: "the account already has tiers; change each with --tier" };
  const flat = FLAT_CLAIMS.flatMap((claim) => {
    const value = limits[claim];
    return value === undefined ? [] : [[claim, value] as const];
  });
  const each = Object.fromEntries([...flat, ...namedLimits(request)]);
  const value = Object.fromEntries([...tiers].sort().map((tier) => [tier, each]));
  const remove = flat.map(([claim]) => ({ path: [...LIMITS, claim], value: undefined }));
  return { ok: true, edits: [...remove, { path: [...LIMITS, "tiered_limits"], value }] };
}

const noTierName = (tier: string): string =>
  `"${tier}" is not a tier; tiers are named after their streams' replicas: R1, R3, …`;

function mixture(limits: JsonObject, tier: string | undefined): string | undefined {
  const tiers = Object.keys(tiersOf(limits));
  if (tier === undefined && tiers.length > 0)
    return `the account has tiers (${tiers.join(", ")}), and servers drop flat limits beside tiers; name the tier with --tier`;
  const isFlat = storageOf(limits["mem_storage"]) !== 0 || storageOf(limits["disk_storage"]) !== 0;
  if (tier !== undefined && isFlat)
    return "the account has flat limits, and servers drop them as soon as there is a tier: streams outside it would have no limits; replace all of them with --to-tiers R1,R3";
  if (tier !== undefined && replicasOf(tier) === undefined) return noTierName(tier);
  return undefined;
}

function namedLimits(request: LimitRequest): readonly (readonly [string, Json])[] {
  const names = Object.keys(LIMIT_CLAIMS) as LimitName[];
  return names.flatMap((name) => {
    const value = request[name];
    return value === undefined ? [] : [[LIMIT_CLAIMS[name], value] as const];
  });
}

/** An account's tiers by name; empty if its limits are flat. */
export function tiersOf(limits: JsonObject): Readonly<Record<string, JsonObject>> {
  const tiers = limits["tiered_limits"];
  if (!isJsonObject(tiers)) return {};
  return Object.fromEntries(
    Object.entries(tiers).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1])),
  );
}

/** A storage claim in bytes: negative means no limit, absent means none. */
export const storageOf = (value: Json | undefined): number => Number(value ?? 0);

/** The claims that allow less after than before; both are flat limits or limits of one tier. */
export function loweredClaims(before: JsonObject, after: JsonObject): readonly string[] {
  return FLAT_CLAIMS.filter((claim) => isLowered(claim, before[claim], after[claim]));
}

/** The flat limits, or the limits of a tier. */
export function limitsAt(claims: AccountClaims, tier: string | undefined): JsonObject {
  const limits = limitsOf(claims);
  return tier === undefined ? limits : (tiersOf(limits)[tier] ?? {});
}
