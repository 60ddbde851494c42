import type { AccountClaims } from "../claims/claims.ts";
import type { ClockSkew } from "../observation/clocks.ts";
import { fnv1a } from "../time/hash.ts";
import { type EpochMillis, epochMillis, isCountable, type Millis, millis, toMillis } from "../time/time.ts";
import { type Blackout, blackedOut, freeTimes, type Interval } from "./blackouts.ts";
import { type ExpiryPolicy, leadsOf } from "./expiry-policy.ts";

/**
 * The renewal times of one JWT. They depend only on the policy and the JWT, so every sweep on every machine computes the
 * same. Leap seconds do not matter: neither JWTs nor clocks count them.
 */
export interface RenewalWindow {
  /** When the JWT's validity begins. */
  readonly begins: EpochMillis;
  readonly expiresAt: EpochMillis;
  /** When the window opens and closes. */
  readonly opensAt: EpochMillis;
  readonly closesAt: EpochMillis;
  /** The renewal time: random but stable within the window, outside blackouts if possible. */
  readonly renewAt: EpochMillis;
  readonly warnAt: EpochMillis;
  readonly pageAt: EpochMillis;
  /** Whether the whole window lies within blackouts. */
  readonly blackedOut: boolean;
}

/** The state of an account's expiry. */
export type ExpiryWindow =
  | { readonly state: "perpetual" }
  /** Its `exp` is too large for servers, so the actual time is unknown. */
  | { readonly state: "unknown" }
  | ({
      /** `due`: the renewal time has passed. `fresh`: it has not. */
      readonly state: "fresh" | "due" | "expired";
      readonly left: Millis;
    } & RenewalWindow);

/** The time by our clock, and the servers' deviation from it. */
export interface Moment {
  readonly now: EpochMillis;
  readonly skew: ClockSkew;
}

/** Uses the fastest server's clock, because that server lets the account expire first. */
export function expiryWindow(claims: AccountClaims, policy: ExpiryPolicy, moment: Moment): ExpiryWindow {
  if (claims.exp !== undefined && !isCountable(claims.exp, moment.now)) return { state: "unknown" };
  const window = renewalWindow(claims, policy);
  if (window === undefined) return { state: "perpetual" };
  const now = fastest(moment, window);
  const left = millis(window.expiresAt - now);
  if (left <= 0) return { state: "expired", left, ...window };
  return { state: now >= window.renewAt ? "due" : "fresh", left, ...window };
}

/**
 * The time by the fastest server's clock. Counts at most half of the time before the window opens: otherwise a clock that
 * is months ahead would make every sweep renew again.
 */
function fastest({ now, skew }: Moment, { begins, opensAt }: RenewalWindow): EpochMillis {
  return epochMillis(now + Math.min(skew.ahead, Math.max(0, opensAt - begins) / 2));
}

/** Undefined for claims that never expire. */
export function renewalWindow(claims: AccountClaims, policy: ExpiryPolicy): RenewalWindow | undefined {
  const bounds = windowBounds(claims, policy);
  if (bounds === undefined) return undefined;
  const window = { start: bounds.opensAt, end: bounds.closesAt };
  return { ...bounds, ...pick(window, policy.blackouts, fraction(`${claims.sub}/${claims.jti}`)) };
}

/**
 * Whether the window has not opened and no threshold has passed. A sweep calls this for every account, because it is far
 * cheaper than computing the renewal time.
 */
export function isFarOff(claims: AccountClaims, policy: ExpiryPolicy, now: EpochMillis): boolean {
  const bounds = windowBounds(claims, policy);
  return bounds === undefined || now < Math.min(bounds.opensAt, bounds.warnAt, bounds.pageAt);
}

/** Lifetimes count as at most a hundred years, because blackouts are computed day by day; milliseconds. */
const LONGEST = 3_155_760_000_000;

/** The window without its renewal time; undefined for claims that never expire. */
export function windowBounds(
  { exp, iat, nbf }: AccountClaims,
  policy: ExpiryPolicy,
): Omit<RenewalWindow, "renewAt" | "blackedOut"> | undefined {
  if (exp === undefined) return undefined;
  const expiresAt = toMillis(exp);
  const begins = toMillis(nbf !== undefined && nbf > iat ? nbf : iat);
  // Claims that end before they begin come from a broken clock and need a renewal now.
  const lifetime = millis(Math.min(LONGEST, Math.max(0, expiresAt - begins)));
  const leads = leadsOf(policy, lifetime);
  const before = (lead: Millis): EpochMillis => epochMillis(expiresAt - Math.min(lead, lifetime));
  return {
    begins,
    expiresAt,
    opensAt: before(leads.renewBefore),
    closesAt: before(leads.renewBy),
    warnAt: before(leads.warnBefore),
    pageAt: before(leads.pageBefore),
  };
}

/**
 * The time at `share` of the window's blackout-free time. This spreads renewals evenly; moving each to the end of its
 * blackout would start them all in one minute.
 */
function pick(
  window: Interval,
  blackouts: readonly Blackout[],
  share: number,
): Pick<RenewalWindow, "renewAt" | "blackedOut"> {
  const free = freeTimes(blackouts, window);
  const length = free.reduce((sum, { start, end }) => sum + end - start, 0);
  let rest = share * length;
  for (const { start, end } of free) {
    if (rest < end - start) return { renewAt: epochMillis(Math.floor(start + rest)), blackedOut: false };
    rest -= end - start;
  }
  const inside = window.start + share * Math.max(0, window.end - window.start);
  return { renewAt: epochMillis(Math.floor(inside)), blackedOut: window.end > window.start };
}

/** Why an account is renewed. */
export const DUE = "its renewal was due";
export const EXPIRED = "it had expired";

/** Why an account's expiry is unknown; for people. */
export const UNCOUNTABLE =
  "its exp is too large for servers: have the JWT issued again with an earlier exp or none, and push it";

/** What to do about an account's expiry now. */
export type RenewalDecision =
  | { readonly decision: "wait"; readonly why: string; readonly until?: EpochMillis }
  | { readonly decision: "renew"; readonly why: string; readonly warning?: string }
  | { readonly decision: "manual"; readonly why: string };

/**
 * Decides whether to renew an account now. A blackout postpones a renewal only until the window closes, because an expired
 * account is worse than a renewal at a bad time.
 */
export function decideRenewal(claims: AccountClaims, policy: ExpiryPolicy, moment: Moment): RenewalDecision {
  const window = expiryWindow(claims, policy, moment);
  if (window.state === "perpetual") return { decision: "wait", why: "it never expires" };
  if (window.state === "unknown") return { decision: "wait", why: UNCOUNTABLE };
  if (claims.nbf !== undefined && toMillis(claims.nbf) > moment.now - moment.skew.behind)
    return { decision: "wait", why: "its claims are not valid yet", until: toMillis(claims.nbf) };
  if (window.state === "fresh")
    return { decision: "wait", why: "its renewal time has not come", until: window.renewAt };
  const why = window.state === "expired" ? EXPIRED : DUE;
  if (policy.manual) return { decision: "manual", why };
  if (window.state === "expired") return { decision: "renew", why };
  return withinBlackout(policy.blackouts, window, moment.now, why);
}

function withinBlackout(
  blackouts: readonly Blackout[],
  { closesAt }: RenewalWindow,
  now: EpochMillis,
  why: string,
): RenewalDecision {
  const [current] = blackedOut(blackouts, { start: now, end: epochMillis(now + 1) });
  if (current === undefined) return { decision: "renew", why };
  const [next] = now < closesAt ? freeTimes(blackouts, { start: now, end: closesAt }) : [];
  if (next !== undefined) return { decision: "wait", why: "it can wait until the blackout ends", until: next.start };
  return { decision: "renew", why, warning: "in a blackout, because after it would be too late" };
}

/** How urgent an expiry is, by the policy's thresholds. */
export type Alarm = "none" | "warn" | "page";

export function alarmOf(window: ExpiryWindow, moment: Moment): Alarm {
  if (window.state === "perpetual" || window.state === "unknown") return "none";
  const now = fastest(moment, window);
  if (now >= window.pageAt) return "page";
  return now >= window.warnAt ? "warn" : "none";
}

/** A number from 0 (inclusive) to 1 (exclusive), stable per text and evenly distributed: FNV-1a, mixed once. */
export function fraction(text: string): number {
  let hash = fnv1a(text);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
