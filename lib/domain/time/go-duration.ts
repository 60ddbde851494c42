import { type Millis, millis } from "./time.ts";

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1, µs: 1e-3, ns: 1e-6 };
const PART = /(\d+(?:\.\d+)?)(h|ms|m|s|µs|ns)/g;

/** A duration as Go writes it, such as `1m2.5s` or `840µs`, in milliseconds; undefined for anything else. */
export function goDuration(text: string): Millis | undefined {
  const parts = [...text.matchAll(PART)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return undefined;
  return millis(parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0), 0));
}
