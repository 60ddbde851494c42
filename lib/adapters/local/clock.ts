import { setTimeout } from "node:timers/promises";
import { epochMillis, millis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => epochMillis(Date.now()),
  monotonic: () => millis(performance.now()),
  sleep: (duration, signal) => setTimeout(duration, undefined, { signal }).catch(() => undefined),
};
