import type { AccountId } from "../../domain/claims/account.ts";
import type { Millis } from "../../domain/time/time.ts";
import type { Jobs, Trigger } from "../../ports/jobs.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import type { Metrics } from "../../ports/observers.ts";
import type { Context } from "../context/context.ts";

export interface SweepSettings {
  /** A healthy account is looked at again at the latest after this, as long as there is room in the queue. */
  readonly verifyEvery: Millis;
  /** Sweeps queue no more once about so many jobs wait; what is imminent excepted. */
  readonly atMostWaiting: number;
}

export interface SweepContext extends Context {
  readonly metrics: Metrics;
  readonly jobs: Jobs;
  readonly configured: readonly AccountId[];
  readonly settings: SweepSettings;
  /** Hears each JWT that the resolver lists. */
  readonly onListed?: (jwt: DecodedJwt) => void;
}

export interface SweepOrder {
  readonly trigger: Trigger;
  readonly reason: string;
  /** `due`: what is due, as far as the queue has room. `everything`: every account, now. */
  readonly which: "due" | "everything";
}
