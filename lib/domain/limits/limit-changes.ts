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

/** What a person asks for: only the limits named are changed. Bytes and counts; -1 is no limit. */
export type LimitRequest = { readonly [name in Exclude<LimitName, "maxBytesRequired">]?: number } & {
  readonly maxBytesRequired?: boolean;
  /** `R1`, `R3`, …: the limits of streams with so many replicas. Absent: the account's flat limits. */
  readonly tier?: string;
  /** Replaces the flat limits by these tiers, each with the flat limits but for those named. */
  readonly toTiers?: readonly string[];
};

export type LimitEdits =
  | { readonly ok: true; readonly edits: readonly ClaimsEdit[] }
  | { readonly ok: false; readonly problem: string };

const LIMITS = ["nats", "limits"] as const;
const FLAT_CLAIMS: readonly string[] = Object.values(LIMIT_CLAIMS);

/** The replicas of a tier's streams; undefined for what is no tier that servers know. */
export function replicasOf(tier: string): number | undefined {
  const [, replicas] = /^R([1-9]\d?)$/.exec(tier) ?? [];
  return replicas === undefined ? undefined : Number(replicas);
}

/**
 * The edits that give an account the limits asked for. Flat limits and tiers can't stand side by side:
 * servers take both without a word and then drop the flat ones (tried on 2.9.10, 2.10.27 and 2.15.1), which
 * leaves streams outside the tiers without any.
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
  // What no storage makes meaningless would still be a flat limit beside a tier.
  const leftover = tier === undefined ? [] : FLAT_CLAIMS.filter((claim) => limits[claim] !== undefined);
  const remove = leftover.map((claim) => ({ path: [...LIMITS, claim], value: undefined }));
  return { ok: true, edits: [...remove, ...set] };
}

/** The one way from flat limits to tiers: all at once, since servers drop the flat ones beside the first tier. */
function tierEdits(limits: JsonObject, request: LimitRequest, tiers: readonly string[]): LimitEdits {
  const wrong = tiers.find((tier) => replicasOf(tier) === undefined);
  if (wrong !== undefined || tiers.length === 0) return { ok: false, problem: noTierName(wrong ?? "") };
  if (request.tier !== undefined) return { ok: false, problem: "--tier and --to-tiers exclude each other" };
  if (hasTiers(limits))
    return { ok: false, problem: "the account has tiers already; change each with --tier" };
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
  `"${tier}" is no tier; tiers are called R1, R3, … by the replicas of their streams`;

function mixture(limits: JsonObject, tier: string | undefined): string | undefined {
  const tiers = Object.keys(tiersOf(limits));
  if (tier === undefined && tiers.length > 0)
    return `the account has tiered limits (${tiers.join(", ")}), and servers drop flat limits beside a tier; name the tier with --tier`;
  const isFlat = storageOf(limits["mem_storage"]) !== 0 || storageOf(limits["disk_storage"]) !== 0;
  if (tier !== undefined && isFlat)
    return "the account has flat limits, and servers drop those as soon as there is one tier: streams outside it would be left without any; --to-tiers R1,R3 replaces them all at once";
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

/** An account's tiers by name; empty where its limits are flat. */
export function tiersOf(limits: JsonObject): Readonly<Record<string, JsonObject>> {
  const tiers = limits["tiered_limits"];
  if (!isJsonObject(tiers)) return {};
  return Object.fromEntries(
    Object.entries(tiers).filter((entry): entry is [string, JsonObject] => isJsonObject(entry[1])),
  );
}

/** A storage claim in bytes: negative is no limit, absent is none at all. */
export const storageOf = (value: Json | undefined): number => Number(value ?? 0);

/** The claims among `limits` of one place (flat, or of a tier) that allow less after than before. */
export function loweredClaims(before: JsonObject, after: JsonObject): readonly string[] {
  return FLAT_CLAIMS.filter((claim) => isLowered(claim, before[claim], after[claim]));
}

/** The limits of one place: flat, or of a tier. */
export function limitsAt(claims: AccountClaims, tier: string | undefined): JsonObject {
  const limits = limitsOf(claims);
  return tier === undefined ? limits : (tiersOf(limits)[tier] ?? {});
}
