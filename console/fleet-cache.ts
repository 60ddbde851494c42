import type { EpochMillis } from "../lib/domain/time/time.ts";
import type { Fleet } from "../lib/usecases/reports/fleet.ts";

/** The fleet, read at most every few seconds however many people look at it. */
export interface FleetCache {
  /** The fleet as it was a moment ago; waits only if it was never read. @throws RelightError `journal.unavailable` */
  fleet(): Promise<Fleet>;
}

/** The least time between two reads; milliseconds. */
const FRESH = 5_000;
/** A read of a large fleet takes seconds, so it is not repeated before this many times as long has passed. */
const PAUSE = 5;

/** @param take reads the fleet; `before` is the last result */
export function fleetCache(take: (before: Fleet | undefined) => Promise<Fleet>, now: () => EpochMillis): FleetCache {
  let kept: Fleet | undefined;
  let reading: Promise<Fleet> | undefined;
  let freshUntil = 0;

  async function read(): Promise<Fleet> {
    const began = now();
    try {
      kept = await take(kept);
      return kept;
    } finally {
      reading = undefined;
      freshUntil = now() + Math.max(FRESH, (now() - began) * PAUSE);
    }
  }

  return {
    fleet: async () => {
      if (kept !== undefined && now() < freshUntil) return kept;
      reading ??= read();
      if (kept === undefined) return reading;
      // A fleet that can't be read again is shown as it was, with its time.
      reading.catch(() => undefined);
      return kept;
    },
  };
}
