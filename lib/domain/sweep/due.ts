import type { AccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { type Alarm, alarmOf, type ExpiryWindow, expiryWindow, fraction, isFarOff } from "../expiry/expiry.ts";
import type { ExpiryPolicy } from "../expiry/expiry-policy.ts";
import type { LastJob } from "../journal/last-job.ts";
import { NO_SKEW } from "../observation/clocks.ts";
import { type EpochMillis, formatDuration, type Millis, millis, toMillis } from "../time/time.ts";
import type { Health } from "../verdict/verdict.ts";

/** Why a sweep has an account checked now. */
export type Due =
  | { readonly why: "everything" }
  | { readonly why: "unreadable" }
  | { readonly why: "expired"; readonly by: Millis }
  | { readonly why: "page" | "warn" | "renewal"; readonly left: Millis }
  | { readonly why: "unfinished"; readonly since: Millis }
  | { readonly why: "unwell"; readonly verdict: Health | undefined; readonly outcome: string }
  | { readonly why: "changed"; readonly from: string | undefined; readonly to: string | undefined }
  | { readonly why: "new" }
  | { readonly why: "routine"; readonly unverified: Millis };

export type DueReason = Due["why"];

/** What the resolver holds for an account; `unknown` if the resolver cannot be listed. */
export type Listed =
  | { readonly state: "listed"; readonly claims: AccountClaims }
  | { readonly state: "unreadable" | "absent" | "unknown" };

/** What a sweep knows about an account without checking it. */
export interface SweptAccount {
  readonly account: AccountId;
  readonly listed: Listed;
  readonly lastJob: LastJob | undefined;
  readonly policy: ExpiryPolicy;
}

export interface Sweeping {
  readonly now: EpochMillis;
  /** A healthy account is checked again within this time, if the queue has room. */
  readonly verifyEvery: Millis;
}

/** A job that is unfinished after this time may have crashed; its lease tells. Milliseconds. */
const MAY_HAVE_CRASHED = 60_000;
/** The largest expected difference between the clocks of journal writers; milliseconds. */
const CLOCKS_DIFFER = 5 * 60_000;
/** The default interval between sweeps; milliseconds. */
const NEXT_SWEEP = 5 * 60_000;
/** A deleted account about which a person was paged is checked again after this; milliseconds. */
const WITHDRAWN_AGAIN = 24 * 60 * 60_000;
/** The share of the time between two checks over which accounts are spread. */
const SPREAD = 0.25;
const GOOD: readonly string[] = ["healthy", "healed", "renewed", "pushed", "verified", "rotated"];

/**
 * The most urgent reason to check an account now; undefined if there is none.
 * @param expiry of the account, if the caller has computed it already
 */
export function dueOf(met: SweptAccount, sweeping: Sweeping, expiry = expiryOf(met, sweeping.now)): Due | undefined {
  // Ignore a job dated in the future: it must not prevent checks until then.
  const swept = isAhead(met.lastJob, sweeping.now) ? { ...met, lastJob: undefined } : met;
  const { lastJob, listed } = swept;
  // A job that began just now sees the current state anyway.
  if (lastJob?.state === "running" && sweeping.now - lastJob.since <= MAY_HAVE_CRASHED) return undefined;
  if (listed.state === "unreadable") return { why: "unreadable" };
  return expiryDue(swept, sweeping, expiry) ?? lastJobDue(swept, sweeping);
}

function isAhead(lastJob: LastJob | undefined, now: EpochMillis): boolean {
  if (lastJob === undefined) return false;
  const at = lastJob.state === "running" ? lastJob.since : lastJob.at;
  return !(at <= now + CLOCKS_DIFFER);
}

function expiryDue(swept: SweptAccount, { now }: Sweeping, { window, alarm }: Expiry): Due | undefined {
  const left = leftOf(swept, now);
  if (left === undefined) return undefined;
  if (left <= 0) return { why: "expired", by: millis(-left) };
  if (alarm !== "none") return { why: alarm, left };
  return window?.state === "due" ? { why: "renewal", left } : undefined;
}

function lastJobDue({ account, lastJob, listed }: SweptAccount, sweeping: Sweeping): Due | undefined {
  const { now, verifyEvery } = sweeping;
  if (lastJob === undefined) return { why: "new" };
  if (lastJob.state === "running") return { why: "unfinished", since: millis(now - lastJob.since) };
  const { verdict, outcome, jti: from, at, withdrawn } = lastJob;
  if (withdrawn && listed.state !== "listed" && now - at < WITHDRAWN_AGAIN) return undefined;
  if (verdict !== "healthy" || !GOOD.includes(outcome)) return { why: "unwell", verdict, outcome };
  const to = listed.state === "listed" ? listed.claims.jti : undefined;
  if (listed.state !== "unknown" && from !== to) return { why: "changed", from, to };
  const unverified = millis(now - at);
  return isOverdue(account, unverified, verifyEvery) ? { why: "routine", unverified } : undefined;
}

/** Called for every account of a sweep. Most were checked so recently that the exact time does not matter. */
function isOverdue(account: AccountId, unverified: Millis, verifyEvery: Millis): boolean {
  const soonest = Math.floor(latestOf(verifyEvery) * (1 - SPREAD));
  return unverified >= soonest && unverified >= verifyInterval(account, verifyEvery);
}

const latestOf = (verifyEvery: Millis): number => Math.max(0, verifyEvery - NEXT_SWEEP);

/**
 * How long a healthy account can wait for its next check. An account that would be late at the next sweep is due at
 * this one. Each account has a fixed offset, which spreads accounts that were checked together.
 */
export function verifyInterval(account: AccountId, verifyEvery: Millis): Millis {
  const latest = latestOf(verifyEvery);
  if (latest === 0) return millis(0);
  return millis(Math.floor(latest * (1 - SPREAD * fraction(account))));
}

/** An account's expiry. It has no window if the expiry is far off or the claims are not at hand. */
export interface Expiry {
  readonly window?: ExpiryWindow;
  readonly alarm: Alarm;
}

export function expiryOf(
  { listed, policy, lastJob }: Pick<SweptAccount, "listed" | "policy" | "lastJob">,
  now: EpochMillis,
): Expiry {
  if (listed.state !== "listed") return { alarm: lastKnownAlarm(lastJob, now) };
  if (isFarOff(listed.claims, policy, now)) return { alarm: "none" };
  const moment = { now, skew: NO_SKEW };
  const window = expiryWindow(listed.claims, policy, moment);
  return { window, alarm: alarmOf(window, moment) };
}

/** From the newest job's entry: an account that is not listed still expires. */
function lastKnownAlarm(lastJob: LastJob | undefined, now: EpochMillis): Alarm {
  if (lastJob?.state !== "finished") return "none";
  if (now >= (lastJob.pageAt ?? Number.POSITIVE_INFINITY)) return "page";
  return now >= (lastJob.warnAt ?? Number.POSITIVE_INFINITY) ? "warn" : "none";
}

/** Time until its claims expire, or the last known ones: a full resolver deletes expired JWTs. */
function leftOf(swept: SweptAccount, now: EpochMillis): Millis | undefined {
  const expiresAt = expiresAtOf(swept);
  return expiresAt === undefined ? undefined : millis(expiresAt - now);
}

/** When the account's claims expire, according to the resolver or else to the newest job. */
export function expiresAtOf({ listed, lastJob }: SweptAccount): EpochMillis | undefined {
  if (listed.state === "listed") return listed.claims.exp === undefined ? undefined : toMillis(listed.claims.exp);
  return lastJob?.state === "finished" ? lastJob.expiresAt : undefined;
}

/** Whether the account can wait until the queue has room. */
export const isRoutine = ({ why }: Due): boolean => why === "routine";

/** Whether the account is queued even if the queue is full. */
export const isImminent = ({ why }: Due): boolean => why === "expired" || why === "page";

/** Whether the last verdict was unknown. The next check decides about paging a person, so it should come soon. */
export const isUnknown = (due: Due): boolean => due.why === "unwell" && due.verdict === "unknown";

/** A due account's reason, for people. */
export function describeDue(due: Due): string {
  switch (due.why) {
    case "everything":
      return "this sweep checks every account";
    case "unreadable":
      return "the resolver holds invalid data instead of its JWT";
    case "expired":
      return `it expired ${formatDuration(due.by)} ago`;
    case "page":
    case "warn":
      return `it expires in ${formatDuration(due.left)}: ${due.why === "page" ? "it is past its page threshold" : "its renewal is late"}`;
    case "renewal":
      return `its renewal is due; it expires in ${formatDuration(due.left)}`;
    case "unfinished":
      return `a job that began ${formatDuration(due.since)} ago did not finish`;
    case "unwell":
      return `its last verdict was ${due.verdict ?? "missing"} (${due.outcome})`;
    case "changed":
      return `its JWT changed since the last check: ${due.from ?? "none"} → ${due.to ?? "gone"}`;
    case "new":
      return "it has never been checked";
    case "routine":
      return `it was last checked ${formatDuration(due.unverified)} ago`;
  }
}
