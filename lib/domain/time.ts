/**
 * Time with types. JWTs count seconds, JavaScript counts milliseconds; a bare `number` can't say which,
 * so neither is ever passed as one.
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

/** The whole second that `at` lies in (rounded down, as JWT libraries do). */
export const toSeconds = (at: EpochMillis): EpochSeconds => epochSeconds(Math.floor(at / 1000));
export const toMillis = (at: EpochSeconds): EpochMillis => epochMillis(at * 1000);

export const isoTime = (at: EpochMillis): string => new Date(at).toISOString();

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** The two largest units of a length of time, for people: `89d 23h`, `4m 10s`, `0s`. The sign is dropped. */
export function formatDuration(length: Millis): string {
  let rest = Math.round(Math.abs(length) / 1000);
  const parts: string[] = [];
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || parts.length > 0) parts.push(`${count}${name}`);
    if (parts.length === 2) break;
  }
  return parts.filter((part, index) => index === 0 || !part.startsWith("0")).join(" ") || "0s";
}
