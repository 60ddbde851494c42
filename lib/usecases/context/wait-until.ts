import { type Millis, millis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";

/** How often a condition is checked, and for how long. */
export interface Wait {
  /** From the end of one check to the next. */
  readonly interval: Millis;
  /** A function where the checks themselves tell how long to wait. */
  readonly timeout: Millis | (() => Millis);
  /** `false` where the caller has just checked: then not before the first interval is over. */
  readonly atOnce?: boolean;
  /** Ends the wait when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks `condition` at once, then again and again, and a last time when the timeout is over. Resolves to whether it
 * held: `false` after the timeout, or once `signal` is aborted. A check that has begun is always waited for.
 * Rejects only with what `condition` throws.
 */
export async function waitUntil(
  clock: Pick<Clock, "monotonic" | "sleep">,
  condition: () => boolean | Promise<boolean>,
  { interval, timeout, atOnce = true, signal }: Wait,
): Promise<boolean> {
  const begun = clock.monotonic();
  for (let isDue = atOnce; ; isDue = true) {
    if (isDue && (await condition())) return true;
    const bound = typeof timeout === "function" ? timeout() : timeout;
    const left = begun + bound - clock.monotonic();
    if (left <= 0) return false;
    await clock.sleep(millis(Math.min(interval, left)), signal);
    if (signal?.aborted) return false;
  }
}
