import type { Millis } from "../domain/time/time.ts";

/** Leases: one holder at a time per key, until released or until the time is over. */
export interface Leases {
  /** True if `holder` now has `key` (or had it already) until `lasts` from now; false if another has it. */
  acquire(key: string, holder: string, lasts: Millis): Promise<boolean>;
  /** Gives the key up if `holder` has it; otherwise nothing happens. */
  release(key: string, holder: string): Promise<void>;
}
