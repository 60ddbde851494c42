import type { AccountClaims } from "../claims/claims.ts";
import type { ClockSkew } from "../observation/clocks.ts";
import { type EpochMillis, epochMillis, isCountable, type Millis, millis, toMillis } from "../time/time.ts";
import { type Blackout, blackedOut, freeTimes, type Interval } from "./blackouts.ts";
import { type ExpiryPolicy, leadsOf } from "./expiry-policy.ts";

/**
 * The renewal of one JWT, worked out from the policy and the JWT alone, so that every sweep, on every machine,
 * comes to the same instant. Leap seconds are no matter: neither JWTs nor the clocks here count them, and no
 * window is so narrow that one second counts.
 */
export interface RenewalWindow {
  /** From when on the JWT is valid. */
  readonly begins: EpochMillis;
  readonly expiresAt: EpochMillis;
  /** When the window opens, and when it closes: by then the renewal must have happened. */
  readonly opensAt: EpochMillis;
  readonly closesAt: EpochMillis;
  /** The stable random instant within the window, outside of blackouts if there is any time outside. */
  readonly renewAt: EpochMillis;
  readonly warnAt: EpochMillis;
  readonly pageAt: EpochMillis;
  /** The whole window lies within blackouts. */
  readonly blackedOut: boolean;
}

/** Where an account stands in its renewal. */
export type ExpiryWindow =
  | { readonly state: "perpetual" }
  /** It ends later than servers can count: nobody knows when. */
  | { readonly state: "unknown" }
  | ({
      /** `due`: the instant has come. `fresh`: it has not. */
      readonly state: "fresh" | "due" | "expired";
      readonly left: Millis;
    } & RenewalWindow);

/** The time by our clock, and how far the servers' clocks are off it. */
export interface Moment {
  readonly now: EpochMillis;
  readonly skew: ClockSkew;
}

/** Everything comes earlier by as much as the fastest server's clock is ahead: that server lets the account expire. */
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
 * No more than half of the time before the window, or a clock that is off by months would have renewed claims
 * renewed again by every sweep.
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
 * Whether there is nothing yet to be done or said about an expiry. A sweep asks it of every account, and it is far
 * cheaper than the instant within the window, which only matters once that is open.
 */
export function isFarOff(claims: AccountClaims, policy: ExpiryPolicy, now: EpochMillis): boolean {
  const bounds = windowBounds(claims, policy);
  return bounds === undefined || now < Math.min(bounds.opensAt, bounds.warnAt, bounds.pageAt);
}

/** Blackouts are looked for day by day, so a share of a lifetime is one of a hundred years at most; milliseconds. */
const LONGEST = 3_155_760_000_000;

/** All of the window that follows from the policy's leads alone; undefined for claims that never expire. */
export function windowBounds(
  { exp, iat, nbf }: AccountClaims,
  policy: ExpiryPolicy,
): Omit<RenewalWindow, "renewAt" | "blackedOut"> | undefined {
  if (exp === undefined) return undefined;
  const expiresAt = toMillis(exp);
  const begins = toMillis(nbf !== undefined && nbf > iat ? nbf : iat);
  // Claims that end before they begin were made by a broken clock, and need renewing now.
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
 * The instant at `share` of the window's free time: spread evenly, where moving it to the end of a blackout
 * would make all that fell into it start in one minute.
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

/** Why nobody knows when an account's claims end; for people. */
export const UNCOUNTABLE =
  "it ends later than servers can count: have its JWT made anew with an earlier end, or with none, and push it";

/** What to do about an account's expiry now. */
export type RenewalDecision =
  | { readonly decision: "wait"; readonly why: string; readonly until?: EpochMillis }
  | { readonly decision: "renew"; readonly why: string; readonly warning?: string }
  | { readonly decision: "manual"; readonly why: string };

/**
 * Decides whether an account is renewed now. A blackout is kept as long as it can be: never does it let the window
 * close, since an account that expires is worse than a renewal at a bad hour.
 */
export function decideRenewal(claims: AccountClaims, policy: ExpiryPolicy, moment: Moment): RenewalDecision {
  const window = expiryWindow(claims, policy, moment);
  if (window.state === "perpetual") return { decision: "wait", why: "it never expires" };
  if (window.state === "unknown") return { decision: "wait", why: UNCOUNTABLE };
  if (claims.nbf !== undefined && toMillis(claims.nbf) > moment.now - moment.skew.behind)
    return { decision: "wait", why: "its claims are not valid yet", until: toMillis(claims.nbf) };
  if (window.state === "fresh")
    return { decision: "wait", why: "its instant has not come", until: window.renewAt };
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
  if (next !== undefined)
    return { decision: "wait", why: "a blackout is on, and it can wait", until: next.start };
  return { decision: "renew", why, warning: "in a blackout, since it would have come too late after it" };
}

/** How urgent an expiry is: it goes by the leads of the policy, whoever renews. */
export type Alarm = "none" | "warn" | "page";

export function alarmOf(window: ExpiryWindow, moment: Moment): Alarm {
  if (window.state === "perpetual" || window.state === "unknown") return "none";
  const now = fastest(moment, window);
  if (now >= window.pageAt) return "page";
  return now >= window.warnAt ? "warn" : "none";
}

/** A number from 0 up to 1 that is the same for the same text and spread evenly over texts: FNV-1a, mixed once. */
export function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
