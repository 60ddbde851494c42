import { type Millis, millis } from "../time/time.ts";
import type { Blackout } from "./blackouts.ts";

/** How long before an expiry: a length of time, or a share (0–1) of the lifetime that the JWT was given. */
export type Lead =
  | { readonly unit: "time"; readonly before: Millis }
  | { readonly unit: "share"; readonly share: number };

/** What a person may say of one account's expiry; what is not said is taken from what is said more widely. */
export interface PolicyRules {
  /** How long renewed claims live. */
  readonly lifetime?: Millis;
  /** How long before the expiry the renewal window opens. */
  readonly renewBefore?: Lead;
  /** How long before the expiry the window closes: by then it must have happened. */
  readonly renewBy?: Lead;
  /** From when on a person is warned that it has not happened. */
  readonly warnBefore?: Lead;
  /** From when on a person is called. */
  readonly pageBefore?: Lead;
  /** When nothing is renewed, if it can wait. */
  readonly blackouts?: readonly Blackout[];
  /** Watched, never renewed. */
  readonly manual?: boolean;
  /** Renewed only if independent readings of its claims agree. */
  readonly critical?: boolean;
}

/** The policy of one account. */
export interface ExpiryPolicy extends Required<Omit<PolicyRules, "renewBy" | "warnBefore" | "pageBefore">> {
  readonly renewBy?: Lead;
  readonly warnBefore?: Lead;
  readonly pageBefore?: Lead;
}

/** A lead as a length of time. */
export function leadOf(lead: Lead, lifetime: Millis): Millis {
  return lead.unit === "time" ? lead.before : millis(Math.round(lifetime * lead.share));
}

/** The leads of one JWT, with defaults for those that were not given. */
export interface Leads {
  readonly renewBefore: Millis;
  readonly renewBy: Millis;
  readonly warnBefore: Millis;
  readonly pageBefore: Millis;
}

/**
 * Half the window is for the stable random instant, the other half for what may go wrong: a warning when a third
 * of that is over, a call when two thirds are. Nobody but a person renews a manual account, so they are told
 * when the window opens.
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
 * What is wrong with the leads of a policy, by key, for JWTs that live as long as renewed ones do.
 * An account whose policy is at fault would be renewed by every sweep, or too late.
 */
export function policyFaults(policy: ExpiryPolicy): readonly { key: keyof PolicyRules; problem: string }[] {
  const { renewBefore, renewBy, warnBefore, pageBefore } = leadsOf(policy, policy.lifetime);
  if (renewBefore >= policy.lifetime)
    return [
      { key: "renewBefore", problem: "must be shorter than lifetime, or every sweep would renew again" },
    ];
  const faults: { key: keyof PolicyRules; problem: string }[] = [];
  if (renewBy >= renewBefore)
    faults.push({ key: "renewBy", problem: "must be shorter than renewBefore, or there is no window" });
  if (!policy.manual && warnBefore > renewBy)
    faults.push({
      key: "warnBefore",
      problem: "must not be longer than renewBy: until then nothing is late",
    });
  if (pageBefore > warnBefore)
    faults.push({ key: "pageBefore", problem: "must not be longer than warnBefore" });
  return faults;
}
