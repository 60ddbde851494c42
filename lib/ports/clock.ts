import type { EpochMillis, Millis } from "../domain/time/time.ts";

/** The time, and waiting. The domain takes times as arguments instead. */
export interface Clock {
  now(): EpochMillis;
  /** For measuring durations: monotonic, unlike `now`. */
  monotonic(): Millis;
  /** Resolves after `duration`, or when `signal` is aborted, which the caller must check. Never rejects. */
  sleep(duration: Millis, signal?: AbortSignal): Promise<void>;
}
