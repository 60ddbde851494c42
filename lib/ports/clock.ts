import type { EpochMillis } from "../domain/time/time.ts";

/** Now. The domain never asks; it is told. */
export interface Clock {
  now(): EpochMillis;
}
