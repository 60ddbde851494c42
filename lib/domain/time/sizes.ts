const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** NATS's value for "no limit". */
const UNLIMITED = -1;

/**
 * Bytes from `1GiB` (2^30), `1GB` (10^9), `1.5GiB`, `0` (none) or `unlimited` (-1). Undefined for anything else,
 * including fractions of a byte and numbers beyond the safe integers.
 */
export function parseSize(text: string): number | undefined {
  if (text.trim().toLowerCase() === "unlimited") return UNLIMITED;
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[unit?.toUpperCase() ?? "-"];
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A count of streams, consumers or messages: a whole number, or `unlimited` (-1). */
export function parseCount(text: string): number | undefined {
  if (text.trim().toLowerCase() === "unlimited") return UNLIMITED;
  const count = /^\d+$/.test(text.trim()) ? Number(text) : undefined;
  return Number.isSafeInteger(count) ? count : undefined;
}

/** Bytes for people: `1 GiB`, `1.5 MiB`, `256 MB` if that is exact, `no limit` for -1. */
export function formatSize(bytes: number): string {
  if (bytes < 0) return "no limit";
  const binary = largest(bytes, ["TiB", "GiB", "MiB", "KiB"]);
  const decimal = largest(bytes, ["TB", "GB", "MB", "KB"]);
  const isShorter = binary === undefined || (decimal !== undefined && decimal.length < binary.length);
  return (isShorter ? decimal : binary) ?? `${bytes} B`;
}

function largest(bytes: number, units: readonly string[]): string | undefined {
  const unit = units.find((name) => bytes >= (UNITS[name.toUpperCase()] ?? Number.POSITIVE_INFINITY));
  if (unit === undefined) return undefined;
  return `${Number((bytes / (UNITS[unit.toUpperCase()] ?? 1)).toFixed(2))} ${unit}`;
}
