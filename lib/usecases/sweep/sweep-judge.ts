import type { AccountId } from "../../domain/claims/account.ts";
import {
  type Due,
  dueOf,
  type Expiry,
  expiresAtOf,
  expiryOf,
  type Listed,
  type SweptAccount,
} from "../../domain/sweep/due.ts";
import { type EpochMillis, epochMillis, type Millis, millis } from "../../domain/time/time.ts";
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

/** An account that a sweep came upon. */
export interface Met {
  readonly account: AccountId;
  readonly listed: Listed;
}

/** An account that is due. */
export interface Judged {
  readonly account: AccountId;
  readonly due: Due;
  /** When it was last verified; 0 for one that never was. */
  readonly verifiedAt: EpochMillis;
}

/** What is counted over all accounts, due or not. */
export interface Tally {
  seen: number;
  pastPage: number;
  oldestUnverified?: Millis;
  soonestExpiry?: EpochMillis;
}

export const newTally = (): Tally => ({ seen: 0, pastPage: 0 });

/** Those of a chunk that are due, and why; every one of them is counted. */
export async function judge(
  context: SweepContext,
  which: SweepOrder["which"],
  chunk: readonly Met[],
  tally: Tally,
): Promise<readonly Judged[]> {
  const lastJobs = await context.journal.latest(chunk.map(({ account }) => account));
  const now = context.clock.now();
  return chunk.flatMap(({ account, listed }): readonly Judged[] => {
    const lastJob = lastJobs.get(account);
    const claims = listed.state === "listed" ? listed.claims : undefined;
    const swept = { account, listed, lastJob, policy: context.policyOf(account, claims) };
    const expiry = expiryOf(swept, now);
    count(tally, swept, now, expiry);
    const due: Due | undefined =
      which === "everything"
        ? { why: "everything" }
        : dueOf(swept, { now, verifyEvery: context.settings.verifyEvery }, expiry);
    return due === undefined ? [] : [{ account, due, verifiedAt: lastJob?.verifiedAt ?? epochMillis(0) }];
  });
}

function count(tally: Tally, swept: SweptAccount, now: EpochMillis, { alarm }: Expiry): void {
  tally.seen += 1;
  const expiresAt = expiresAtOf(swept);
  const hasExpired = expiresAt !== undefined && expiresAt <= now;
  if (hasExpired || alarm === "page") tally.pastPage += 1;
  if (expiresAt !== undefined && expiresAt < (tally.soonestExpiry ?? Number.POSITIVE_INFINITY))
    tally.soonestExpiry = expiresAt;
  const { verifiedAt } = swept.lastJob ?? {};
  if (verifiedAt !== undefined)
    tally.oldestUnverified = millis(Math.max(tally.oldestUnverified ?? 0, now - verifiedAt));
}
