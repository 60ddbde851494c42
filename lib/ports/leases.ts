import type { Millis } from "../domain/time/time.ts";

/** Leases: one holder per key at a time, until it is released or expires. */
export interface Leases {
  /** True if `holder` now has `key` for `lasts` (also if it already had it); false if another holder has it. */
  acquire(key: string, holder: string, lasts: Millis): Promise<boolean>;
  /** Releases the key if `holder` has it; otherwise does nothing. */
  release(key: string, holder: string): Promise<void>;
}
