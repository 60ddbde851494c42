import { type Millis, millis } from "../time/time.ts";
import type { Blackout } from "./blackouts.ts";

/** How long before an expiry: a duration, or a share (0–1) of the JWT's lifetime. */
export type Lead =
  | { readonly unit: "time"; readonly before: Millis }
  | { readonly unit: "share"; readonly share: number };

/** The expiry policy of a configuration entry. Unset fields inherit from broader rules. */
export interface PolicyRules {
  /** How long renewed claims live. */
  readonly lifetime?: Millis;
  /** How long before the expiry the renewal window opens. */
  readonly renewBefore?: Lead;
  /** How long before the expiry the window closes. */
  readonly renewBy?: Lead;
  /** How long before the expiry a missing renewal warns. */
  readonly warnBefore?: Lead;
  /** How long before the expiry a missing renewal pages. */
  readonly pageBefore?: Lead;
  /** Times without renewals that can wait. */
  readonly blackouts?: readonly Blackout[];
  /** Watched but never renewed. */
  readonly manual?: boolean;
  /** Renewed only if independent readings of the claims agree. */
  readonly critical?: boolean;
}

/** The policy of one account. */
export interface ExpiryPolicy extends Required<Omit<PolicyRules, "renewBy" | "warnBefore" | "pageBefore">> {
  readonly renewBy?: Lead;
  readonly warnBefore?: Lead;
  readonly pageBefore?: Lead;
}

/** A lead as a duration. */
function leadOf(lead: Lead, lifetime: Millis): Millis {
  return lead.unit === "time" ? lead.before : millis(Math.round(lifetime * lead.share));
}

/** The leads of one JWT, with defaults filled in. */
export interface Leads {
  readonly renewBefore: Millis;
  readonly renewBy: Millis;
  readonly warnBefore: Millis;
  readonly pageBefore: Millis;
}

/**
 * By default the first half of `renewBefore` is for the random renewal time, and the second half for problems: a warning
 * after a third of it, a page after two thirds. For a manual account the warning comes when the window opens, because a
 * person must renew it.
 */
export function leadsOf(policy: ExpiryPolicy, lifetime: Millis): Leads {
  const of = (lead: Lead | undefined, otherwise: number): Millis =>
    lead === undefined ? millis(Math.round(otherwise)) : leadOf(lead, lifetime);
  const renewBefore = leadOf(policy.renewBefore, lifetime);
  const renewBy = of(policy.renewBy, renewBefore / 2);
  const warnBefore = of(policy.warnBefore, policy.manual ? renewBefore : (renewBy * 2) / 3);
  return { renewBefore, renewBy, warnBefore, pageBefore: of(policy.pageBefore, renewBy / 3) };
}

/**
 * Faults of a policy by key, for JWTs with the policy's lifetime. With such a policy every sweep would renew the account,
 * or the renewal would come too late.
 */
export function policyFaults(policy: ExpiryPolicy): readonly { key: keyof PolicyRules; problem: string }[] {
  const { renewBefore, renewBy, warnBefore, pageBefore } = leadsOf(policy, policy.lifetime);
  if (renewBefore >= policy.lifetime)
    return [{ key: "renewBefore", problem: "must be shorter than lifetime, or every sweep would renew again" }];
  const faults: { key: keyof PolicyRules; problem: string }[] = [];
  if (renewBy >= renewBefore)
    faults.push({ key: "renewBy", problem: "must be shorter than renewBefore, or there is no window" });
  if (!policy.manual && warnBefore > renewBy)
    faults.push({
      key: "warnBefore",
      problem: "must not be longer than renewBy, because before that nothing is late",
    });
  if (pageBefore > warnBefore) faults.push({ key: "pageBefore", problem: "must not be longer than warnBefore" });
  return faults;
}
