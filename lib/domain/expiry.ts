import type { AccountClaims } from "./claims.ts";
import { type EpochMillis, type Millis, millis, toMillis } from "./time.ts";

export interface ExpiryPolicy {
  /** How long renewed claims live. */
  readonly lifetime: Millis;
  /** How long before its expiry an account is renewed. */
  readonly renewBefore: Millis;
}

/** Where an account stands in its renewal window. */
export type ExpiryWindow =
  | { readonly state: "perpetual" }
  | { readonly state: "fresh" | "due" | "expired"; readonly expiresAt: EpochMillis; readonly left: Millis };

export function expiryWindow(claims: AccountClaims, policy: ExpiryPolicy, now: EpochMillis): ExpiryWindow {
  if (claims.exp === undefined) return { state: "perpetual" };
  const expiresAt = toMillis(claims.exp);
  const left = millis(expiresAt - now);
  if (left <= 0) return { state: "expired", expiresAt, left };
  return { state: left <= policy.renewBefore ? "due" : "fresh", expiresAt, left };
}
