import type { AccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import {
  type Alarm,
  alarmOf,
  type ExpiryWindow,
  expiryWindow,
  fraction,
  isFarOff,
} from "../expiry/expiry.ts";
import type { ExpiryPolicy } from "../expiry/expiry-policy.ts";
import type { LastJob } from "../journal/last-job.ts";
import { NO_SKEW } from "../observation/clocks.ts";
import { type EpochMillis, formatDuration, type Millis, millis, toMillis } from "../time/time.ts";
import type { Health } from "../verdict/verdict.ts";

/** Why a sweep has an account looked at now. */
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

/** What the resolver has of an account; `unknown` where it can't be listed at all. */
export type Listed =
  | { readonly state: "listed"; readonly claims: AccountClaims }
  | { readonly state: "unreadable" | "absent" | "unknown" };

/** What a sweep knows of an account without looking at it. */
export interface SweptAccount {
  readonly account: AccountId;
  readonly listed: Listed;
  readonly lastJob: LastJob | undefined;
  readonly policy: ExpiryPolicy;
}

export interface Sweeping {
  readonly now: EpochMillis;
  /** By when a healthy account is looked at again at the latest, as long as there is room in the queue. */
  readonly verifyEvery: Millis;
}

/** A job that began longer ago than this and did not end may have died; its lease says if it did. Milliseconds. */
const MAY_HAVE_DIED = 60_000;
/** Clocks of those who write the journal differ by no more; milliseconds. */
const CLOCKS_DIFFER = 5 * 60_000;
/** How long it may be until the next sweep, as they are scheduled by default; milliseconds. */
const NEXT_SWEEP = 5 * 60_000;
/** A deleted account, of which a person was told, is looked at again after this; milliseconds. */
const WITHDRAWN_AGAIN = 24 * 60 * 60_000;
/** The share of the time between two looks within which each account has an instant of its own. */
const SPREAD = 0.25;
const GOOD: readonly string[] = ["healthy", "healed", "renewed", "pushed", "verified", "rotated"];

/**
 * Whether, and why, an account is to be looked at now; the most urgent reason that there is.
 * @param expiry where the account stands in its renewal, for whoever has worked it out already
 */
export function dueOf(
  met: SweptAccount,
  sweeping: Sweeping,
  expiry = expiryOf(met, sweeping.now),
): Due | undefined {
  // What is said to be done in the future, no job did: it must not keep the account from being looked at until then.
  const swept = isAhead(met.lastJob, sweeping.now) ? { ...met, lastJob: undefined } : met;
  const { lastJob, listed } = swept;
  // One that began a moment ago sees all that there is to see.
  if (lastJob?.state === "running" && sweeping.now - lastJob.since <= MAY_HAVE_DIED) return undefined;
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

/** A sweep asks it of every account; most were looked at so lately that their own instant does not matter. */
function isOverdue(account: AccountId, unverified: Millis, verifyEvery: Millis): boolean {
  const soonest = Math.floor(latestOf(verifyEvery) * (1 - SPREAD));
  return unverified >= soonest && unverified >= patienceOf(account, verifyEvery);
}

const latestOf = (verifyEvery: Millis): number => Math.max(0, verifyEvery - NEXT_SWEEP);

/**
 * What would be late at the next sweep is due at this one; and each account has its own instant, always the same,
 * so that those that were looked at together drift apart.
 */
export function patienceOf(account: AccountId, verifyEvery: Millis): Millis {
  const latest = latestOf(verifyEvery);
  if (latest === 0) return millis(0);
  return millis(Math.floor(latest * (1 - SPREAD * fraction(account))));
}

/** Where an account stands in its renewal; there is no window of one that is far off, or without claims at hand. */
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

/** By what the newest job left: an account nears its end all the same while nobody lists it. */
function lastKnownAlarm(lastJob: LastJob | undefined, now: EpochMillis): Alarm {
  if (lastJob?.state !== "finished") return "none";
  if (now >= (lastJob.pageAt ?? Number.POSITIVE_INFINITY)) return "page";
  return now >= (lastJob.warnAt ?? Number.POSITIVE_INFINITY) ? "warn" : "none";
}

/** Until its claims expire, or those last seen: a full resolver deletes what has expired. */
function leftOf(swept: SweptAccount, now: EpochMillis): Millis | undefined {
  const expiresAt = expiresAtOf(swept);
  return expiresAt === undefined ? undefined : millis(expiresAt - now);
}

/** When the account's claims expire, by the resolver or, where it has none, by the newest job. */
export function expiresAtOf({ listed, lastJob }: SweptAccount): EpochMillis | undefined {
  if (listed.state === "listed")
    return listed.claims.exp === undefined ? undefined : toMillis(listed.claims.exp);
  return lastJob?.state === "finished" ? lastJob.expiresAt : undefined;
}

/** What can wait until there is room for it; anything else is queued at once. */
export const isRoutine = ({ why }: Due): boolean => why === "routine";

/** What may not wait for a full queue. */
export const isImminent = ({ why }: Due): boolean => why === "expired" || why === "page";

/** Of whom nobody knows how it is: the second look tells whether a person is called, and should come soon. */
export const isUnknown = (due: Due): boolean => due.why === "unwell" && due.verdict === "unknown";

/** A due account's reason, for people. */
export function describeDue(due: Due): string {
  switch (due.why) {
    case "everything":
      return "everything is looked at";
    case "unreadable":
      return "the resolver holds something for it that is no account JWT";
    case "expired":
      return `it expired ${formatDuration(due.by)} ago`;
    case "page":
    case "warn":
      return `it expires in ${formatDuration(due.left)}: ${due.why === "page" ? "a person must know now" : "that is late"}`;
    case "renewal":
      return `its renewal is due; it expires in ${formatDuration(due.left)}`;
    case "unfinished":
      return `a job that began ${formatDuration(due.since)} ago did not finish`;
    case "unwell":
      return `it was ${due.verdict ?? "not judged"} when last looked at (${due.outcome})`;
    case "changed":
      return `its JWT is ${due.to ?? "gone"}, and was ${due.from ?? "none"} when last looked at`;
    case "new":
      return "it was never looked at";
    case "routine":
      return `it was last looked at ${formatDuration(due.unverified)} ago`;
  }
}
