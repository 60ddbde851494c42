import { type Blackout, WEEKDAYS } from "../../lib/domain/expiry/blackouts.ts";
import type { Moment } from "../../lib/domain/expiry/expiry.ts";
import type { ExpiryPolicy, Lead } from "../../lib/domain/expiry/expiry-policy.ts";
import { NO_SKEW } from "../../lib/domain/observation/clocks.ts";
import { type EpochSeconds, type Millis, millis, toMillis } from "../../lib/domain/time/time.ts";

/** Policies and moments; each test states only the differences. */

const HOUR = 3_600_000;

export const hours = (count: number): Lead => ({ unit: "time", before: millis(count * HOUR) });
export const days = (count: number): Lead => hours(count * 24);
export const share = (part: number): Lead => ({ unit: "share", share: part });
export const inDays = (count: number): Millis => millis(count * 24 * HOUR);

export const newPolicy = (changes: Partial<ExpiryPolicy> = {}): ExpiryPolicy => ({
  lifetime: inDays(90),
  renewBefore: days(30),
  blackouts: [],
  manual: false,
  critical: false,
  ...changes,
});

/** Every day from midnight to midnight by default. */
export const blackout = (changes: Partial<Blackout> = {}): Blackout => ({
  days: WEEKDAYS,
  from: 0,
  to: 24 * 60,
  timeZone: "UTC",
  ...changes,
});

export const at = (now: EpochSeconds, ahead = 0, behind = 0): Moment => ({
  now: toMillis(now),
  skew: { ...NO_SKEW, ahead: millis(ahead), behind: millis(behind) },
});
