import type { EpochMillis, Millis } from "../domain/time/time.ts";

/** The time, and waiting. The domain never asks; it is told. */
export interface Clock {
  now(): EpochMillis;
  /** For lengths of time, as differences of two readings: unlike `now`, nobody sets it ahead or back. */
  monotonic(): Millis;
  /** Resolves after `duration`, or as soon as `signal` is aborted, which the caller looks at. Never rejects. */
  sleep(duration: Millis, signal?: AbortSignal): Promise<void>;
}
