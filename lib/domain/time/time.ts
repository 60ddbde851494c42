/**
 * Times and durations with their unit in the type, because JWTs count seconds and JavaScript counts milliseconds.
 */

declare const unit: unique symbol;

/** Seconds since 1970-01-01T00:00:00Z, as in a JWT's `exp`, `iat` and `nbf`. */
export type EpochSeconds = number & { readonly [unit]: "epoch-seconds" };
/** Milliseconds since 1970-01-01T00:00:00Z, as in `Date.now()`. */
export type EpochMillis = number & { readonly [unit]: "epoch-millis" };
/** A length of time in milliseconds. */
export type Millis = number & { readonly [unit]: "millis" };

export const epochSeconds = (value: number): EpochSeconds => value as EpochSeconds;
export const epochMillis = (value: number): EpochMillis => value as EpochMillis;
export const millis = (value: number): Millis => value as Millis;

/** The first and the last instant that ISO 8601 writes with a four-digit year; milliseconds. */
const FIRST = -62_167_219_200_000;
const LAST = 253_402_300_799_999;

const bounded = (at: number): number => Math.min(LAST, Math.max(FIRST, at));

/** The whole second that `at` lies in (rounded down, as JWT libraries do). */
export const toSeconds = (at: EpochMillis): EpochSeconds => epochSeconds(Math.floor(at / 1000));
/** Times beyond the year 9999 become its end: claims may contain any number, and a `Date` cannot hold them all. */
export const toMillis = (at: EpochSeconds): EpochMillis => epochMillis(bounded(at * 1000));

/** ISO 8601, UTC. Never throws: times outside the years 0 to 9999 are clamped, and NaN becomes `unknown`. */
export const isoTime = (at: EpochMillis): string =>
  Number.isNaN(at) ? "unknown" : new Date(bounded(at)).toISOString();

/** Servers count the remaining time in 64-bit nanoseconds, which is 292 years. Seconds. */
const COUNTABLE = 9_223_372_036;

/** Whether servers can count until `end`. Beyond that they compute an arbitrary time (tested on 2.9.10, 2.10.27, 2.15.1). */
export const isCountable = (end: EpochSeconds, now: EpochMillis): boolean => end - now / 1000 < COUNTABLE;

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** The two largest units of a duration, for people: `89d 23h`, `4m 10s`, `0s`. Drops the sign. */
export function formatDuration(length: Millis): string {
  if (Number.isNaN(length)) return "unknown";
  let rest = Math.round(Math.min(Math.abs(length), Number.MAX_SAFE_INTEGER) / 1000);
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || parts.length > 0) parts.push(`${count}${name}`);
    if (parts.length === 2) break;
  }
  return parts.filter((part, index) => index === 0 || !part.startsWith("0")).join(" ") || "0s";
}
