import type { EpochMillis, Millis } from "../domain/time/time.ts";

/** Leases: one holder per key at a time, until it is released or expires. */
export interface Leases {
  /** True if `holder` now has `key` for `lasts` (also if it already had it); false if another holder has it. */
  acquire(key: string, holder: string, lasts: Millis): Promise<boolean>;
  /** Until when another holder has the key, unless it extends that; undefined if nobody does, or if it is not known. */
  heldUntil(key: string): Promise<EpochMillis | undefined>;
  /** Releases the key if `holder` has it; otherwise does nothing. */
  release(key: string, holder: string): Promise<void>;
}
