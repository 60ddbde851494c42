import { defined } from "./defined.ts";
import type { Json, JsonObject } from "./json.ts";

/** Fields that are never cut: undo data, and proofs (docs/decisions/0006, 0020). */
const NEVER_CUT: readonly string[] = ["claims", "memory", "undo", "proof"];
/** The field that says how much is left of each part that was cut. */
const CUT = "cut";

/**
 * The same data with its largest part halved, or left out if it cannot be halved; `cut` says so. Undefined if nothing
 * more may be cut.
 */
export function truncate(data: JsonObject): JsonObject | undefined {
  const [key, value] = largestPart(data) ?? [];
  if (key === undefined || value === undefined) return undefined;
  const earlier = (data[CUT] ?? {}) as JsonObject;
  const { [key]: _whole, ...others } = data;
  const half = halfOf(value);
  const before = earlier[key] as { readonly of?: number } | undefined;
  const note = half === undefined ? "left out" : { kept: half.length, of: before?.of ?? lengthOf(value) };
  return { ...others, ...defined({ [key]: half }), [CUT]: { ...earlier, [key]: note } };
}

function largestPart(data: JsonObject): [string, Json] | undefined {
  const parts = Object.entries(data).filter(([key]) => key !== CUT && !NEVER_CUT.includes(key));
  const sizes = new Map(parts.map(([key, value]) => [key, JSON.stringify(value).length]));
  return parts.toSorted(([one], [other]) => (sizes.get(other) ?? 0) - (sizes.get(one) ?? 0))[0];
}

/** The first half of a list or a text. */
function halfOf(value: Json): string | readonly Json[] | undefined {
  if (typeof value !== "string" && !Array.isArray(value)) return undefined;
  return value.length < 2 ? undefined : value.slice(0, Math.floor(value.length / 2));
}

const lengthOf = (value: Json): number => (typeof value === "string" || Array.isArray(value) ? value.length : 1);
