import { type EpochMillis, epochMillis, type Millis } from "../../../lib/domain/time/time.ts";
import type { Clock } from "../../../lib/ports/clock.ts";

/** A clock that stands still until it is told to move. */
export interface FakeClock extends Clock {
  advance(by: Millis): void;
}

export function fakeClock(start: EpochMillis = epochMillis(Date.UTC(2030, 0, 1))): FakeClock {
  let now = start;
  return {
    now: () => now,
    advance: (by) => {
      now = epochMillis(now + by);
    },
  };
}
