import { type EpochMillis, epochMillis, type Millis, millis } from "../../../lib/domain/time/time.ts";
import type { Clock } from "../../../lib/ports/clock.ts";

/**
 * A clock whose time passes only on request, or when everything waits: then it moves on to the next sleeper's time.
 * Minutes of waiting take no time, and always happen in the same order. Do not use it beside real servers, sockets or
 * timers: it takes waiting for them for idleness.
 */
export interface FakeClock extends Clock {
  advance(by: Millis): void;
}

/** An endless loop of sleeps must not keep its test from failing. */
const MOST_MOVES = 100_000;

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export function fakeClock(start: EpochMillis = epochMillis(Date.UTC(2030, 0, 1))): FakeClock {
  let now: number = start;
  let isMoving = false;
  let moves = 0;
  const sleepers = new Set<Sleeper>();

  /** Sleepers with the same time wake in the order in which they started. */
  function moveTo(moment: number): void {
    now = Math.max(now, moment);
    for (const sleeper of [...sleepers].filter(({ at }) => at <= now).sort((one, other) => one.at - other.at))
      sleeper.wake();
  }

  /** Microtasks are done once an immediate runs. */
  function moveWhenIdle(): void {
    if (isMoving || sleepers.size === 0 || moves === MOST_MOVES) return;
    isMoving = true;
    moves += 1;
    setImmediate(() => {
      isMoving = false;
      if (sleepers.size > 0) moveTo(Math.min(...[...sleepers].map(({ at }) => at)));
      moveWhenIdle();
    });
  }

  return {
    now: () => epochMillis(now),
    monotonic: () => millis(now - start),
    advance: (by) => moveTo(now + by),
    sleep: (duration, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        const sleeper = { at: now + duration, wake };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", wake);
        moveWhenIdle();
      }),
  };
}
