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
import { defined } from "../../domain/time/defined.ts";
import { type EpochMillis, epochMillis, type Millis, millis } from "../../domain/time/time.ts";
import type { Jobs, Trigger } from "../../ports/jobs.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import type { AccountState, Metrics } from "../../ports/observers.ts";
import { type Context, nameOf } from "../context/context.ts";

export interface SweepSettings {
  /** A healthy account is checked again within this time, if the queue has room. */
  readonly verifyEvery: Millis;
  /** Sweeps stop queuing when about this many jobs wait, except for imminent accounts. */
  readonly atMostWaiting: number;
}

export interface SweepContext extends Context {
  readonly metrics: Metrics;
  readonly jobs: Jobs;
  readonly configured: readonly AccountId[];
  readonly settings: SweepSettings;
  /** Called for each JWT in the resolver's list. */
  readonly onListed?: (jwt: DecodedJwt) => void;
}

export interface SweepOrder {
  readonly trigger: Trigger;
  readonly reason: string;
  /** `due`: due accounts, if the queue has room. `everything`: every account now. */
  readonly which: "due" | "everything";
}

/** An account in a sweep. */
export interface Met {
  readonly account: AccountId;
  readonly listed: Listed;
}

/** A due account. */
export interface Judged {
  readonly account: AccountId;
  readonly due: Due;
  /** When it was last verified; 0 if never. */
  readonly verifiedAt: EpochMillis;
}

/** Counts over all accounts, due or not. */
export interface Tally {
  /** Empty if nobody reads them. */
  readonly states: AccountState[];
  seen: number;
  pastPage: number;
  oldestUnverified?: Millis;
  soonestExpiry?: EpochMillis;
  /** The accounts that expire within {@link SOON}, a bounded number of them. */
  readonly expiring: { readonly account: AccountId; readonly at: EpochMillis }[];
}

/** Until long after the next sweep, which knows more; milliseconds. */
const SOON = 24 * 60 * 60_000;
const MOST_EXPIRING = 10_000;

export const newTally = (): Tally => ({ states: [], seen: 0, pastPage: 0, expiring: [] });

/** The due accounts of a chunk, and why. Counts all accounts of the chunk. */
export async function judge(
  context: SweepContext,
  which: SweepOrder["which"],
  chunk: readonly Met[],
  tally: Tally,
): Promise<readonly Judged[]> {
  const lastJobs = await context.journal.latest(chunk.map(({ account }) => account));
  const now = context.clock.now();
  const isShown = context.metrics.live !== undefined;
  return chunk.flatMap(({ account, listed }): readonly Judged[] => {
    const lastJob = lastJobs.get(account);
    const claims = listed.state === "listed" ? listed.claims : undefined;
    const swept = { account, listed, lastJob, policy: context.policyOf(account, claims) };
    const expiry = expiryOf(swept, now);
    count(tally, swept, now, expiry);
    if (isShown) tally.states.push(stateOf(swept, nameOf(context, account, claims)));
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
  if (expiresAt !== undefined && !hasExpired && expiresAt <= now + SOON && tally.expiring.length < MOST_EXPIRING)
    tally.expiring.push({ account: swept.account, at: expiresAt });
  const { verifiedAt } = swept.lastJob ?? {};
  if (verifiedAt !== undefined)
    tally.oldestUnverified = millis(Math.max(tally.oldestUnverified ?? 0, now - verifiedAt));
}

/** What is known without a check. While a job runs, what its predecessor knew still counts. */
function stateOf(swept: SweptAccount, name: string): AccountState {
  const { account, lastJob, policy } = swept;
  const { critical } = policy;
  const shared = {
    account,
    name,
    ...defined({ critical, expiresAt: expiresAtOf(swept), verifiedAt: lastJob?.verifiedAt }),
  };
  if (lastJob?.state !== "finished") return { ...shared, at: epochMillis(0) };
  return { ...shared, at: lastJob.at, ...defined({ verdict: lastJob.verdict, renewAt: lastJob.renewAt }) };
}
