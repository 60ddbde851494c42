import type { AccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { type EpochMillis, epochMillis, isoTime, toSeconds } from "../time/time.ts";
import { renewalWindow } from "./expiry.ts";
import type { ExpiryPolicy } from "./expiry-policy.ts";

/** An account whose renewals are projected. */
export interface Scheduled {
  readonly account: AccountId;
  readonly name: string;
  readonly claims: AccountClaims;
  readonly policy: ExpiryPolicy;
}

/** A coming renewal, or for a manual account the time by which a person must renew it. */
export interface ComingRenewal {
  readonly account: AccountId;
  readonly name: string;
  readonly at: EpochMillis;
  readonly expiresAt: EpochMillis;
  /** `renewal`: exact. `projected`: of a JWT that does not exist yet; its actual time is random within the window. */
  readonly kind: "renewal" | "projected" | "manual";
  /** Whether its whole window lies within blackouts. */
  readonly inBlackout: boolean;
}

export interface CalendarDay {
  /** `2030-01-31`, UTC. */
  readonly day: string;
  readonly renewals: readonly ComingRenewal[];
}

/** A time with too many renewals per hour. */
export interface RenewalStorm {
  readonly from: EpochMillis;
  readonly until: EpochMillis;
  /** The maximum within an hour. */
  readonly perHour: number;
  readonly accounts: readonly AccountId[];
}

export interface Calendar {
  readonly days: readonly CalendarDay[];
  readonly storms: readonly RenewalStorm[];
}

const HOUR = 3_600_000;
/** Bounds the output for very short lifetimes. */
const MOST_PER_ACCOUNT = 1_000;

/** All renewals from `now` until `until`, by day. Overdue ones count as now. */
export function calendar(
  accounts: readonly Scheduled[],
  { now, until, storm }: { readonly now: EpochMillis; readonly until: EpochMillis; readonly storm: number },
): Calendar {
  const renewals = accounts
    .flatMap((account) => renewalsOf(account, now, until))
    .sort((one, other) => one.at - other.at);
  const active = renewals.filter(({ kind }) => kind !== "manual");
  return { days: byDay(renewals), storms: stormsIn(active, storm) };
}

function renewalsOf(scheduled: Scheduled, now: EpochMillis, until: EpochMillis): readonly ComingRenewal[] {
  const { account, name, policy } = scheduled;
  const found: ComingRenewal[] = [];
  let claims = scheduled.claims;
  while (found.length < MOST_PER_ACCOUNT) {
    const window = renewalWindow(claims, policy);
    if (window === undefined) break;
    const due = policy.manual ? window.closesAt : window.renewAt;
    const at = epochMillis(Math.max(due, now, found.at(-1)?.at ?? 0));
    if (at > until) break;
    const kind = policy.manual ? "manual" : found.length === 0 ? "renewal" : "projected";
    found.push({ account, name, at, expiresAt: window.expiresAt, kind, inBlackout: window.blackedOut });
    if (policy.manual) break;
    const next = epochMillis(at + policy.lifetime);
    claims = { ...claims, iat: toSeconds(at), exp: toSeconds(next), jti: `${claims.jti}+` };
  }
  return found;
}

function byDay(renewals: readonly ComingRenewal[]): readonly CalendarDay[] {
  const days = Map.groupBy(renewals, ({ at }) => isoTime(at).slice(0, 10));
  return [...days].map(([day, list]) => ({ day, renewals: list }));
}

/** The times in which more than `most` accounts are renewed within one hour; `active` in order. */
export function stormsIn(
  active: readonly Pick<ComingRenewal, "account" | "at">[],
  most: number,
): readonly RenewalStorm[] {
  const storms: { from: number; until: number; perHour: number; first: number; last: number }[] = [];
  let first = 0;
  for (const [last, { at }] of active.entries()) {
    while ((active[first]?.at ?? at) <= at - HOUR) first++;
    const count = last - first + 1;
    if (count <= most) continue;
    const current = storms.at(-1);
    if (current !== undefined && current.last >= first)
      Object.assign(current, { until: at, last, perHour: Math.max(current.perHour, count) });
    else storms.push({ from: active[first]?.at ?? at, until: at, perHour: count, first, last });
  }
  return storms.map(({ from, until, perHour, first: begin, last: end }) => ({
    from: epochMillis(from),
    until: epochMillis(until),
    perHour,
    accounts: [...new Set(active.slice(begin, end + 1).map(({ account }) => account))],
  }));
}
