import type { AccountId } from "../claims/account.ts";
import { defined } from "../time/defined.ts";
import { type EpochMillis, epochMillis, formatDuration, isoTime, type Millis, millis } from "../time/time.ts";
import { type ExpiryPolicy, leadsOf } from "./expiry-policy.ts";

/** What can expire, or is to be given up. */
export type ExpiringKind =
  | "account"
  | "system-account"
  | "operator"
  | "system-credentials"
  | "credentials"
  | "activation"
  | "signing-key"
  | "certificate";

export type ExpirySeverity = "ok" | "warning" | "critical" | "unknown";

/** Something with an end, as it was found. */
export interface Ending {
  readonly kind: ExpiringKind;
  /** A name, an address or a reference; never a secret. */
  readonly what: string;
  readonly account?: AccountId;
  /** From when to when it is valid. Without an end it is valid for ever. */
  readonly begins?: EpochMillis;
  readonly expiresAt?: EpochMillis;
  /** What is wrong with it beside its end: then it is at least a warning. */
  readonly fault?: string;
  /** It could not be looked at, and why. */
  readonly unseen?: string;
}

/** The same, judged. */
export interface Expiring extends Pick<Ending, "kind" | "what" | "account" | "expiresAt"> {
  readonly severity: ExpirySeverity;
  readonly message: string;
}

/** Without it nobody connects at all, so a warning about it is as bad as a call about anything else. */
const TOP: readonly ExpiringKind[] = ["operator", "system-account", "system-credentials"];

/**
 * Judges by the leads of the policy. Who renews it is a person, so a warning comes when the window opens; only
 * certificates are renewed by machines of their own, as a rule, so they get the thresholds of an account that is.
 */
export function judge(ending: Ending, policy: ExpiryPolicy, now: EpochMillis): Expiring {
  const { kind, what, account, expiresAt } = ending;
  const base = { kind, what, ...defined({ account }), ...defined({ expiresAt }) };
  if (ending.unseen !== undefined) return { ...base, severity: "unknown", message: ending.unseen };
  const severity = severityOf(ending, policy, now);
  const message = [ending.fault, whenOf(expiresAt, now)].filter((part) => part !== undefined).join("; ");
  return { ...base, severity, message };
}

function severityOf(ending: Ending, policy: ExpiryPolicy, now: EpochMillis): ExpirySeverity {
  const { kind, expiresAt, begins = now, fault } = ending;
  const atLeast = fault === undefined ? "ok" : "warning";
  if (expiresAt === undefined) return atLeast;
  const left = millis(expiresAt - now);
  const manual = kind === "account" ? policy.manual : kind !== "certificate";
  const { warnBefore, pageBefore } = leadsOf({ ...policy, manual }, millis(expiresAt - begins));
  if (left <= pageBefore) return "critical";
  if (left > warnBefore) return atLeast;
  return TOP.includes(kind) ? "critical" : "warning";
}

function whenOf(expiresAt: EpochMillis | undefined, now: EpochMillis): string | undefined {
  if (expiresAt === undefined) return undefined;
  const left: Millis = millis(expiresAt - now);
  return left > 0 ? `expires in ${formatDuration(left)}` : `expired ${formatDuration(left)} ago`;
}

/** The most urgent first. */
export function byUrgency(one: Expiring, other: Expiring): number {
  const order: readonly ExpirySeverity[] = ["critical", "unknown", "warning", "ok"];
  const severity = order.indexOf(one.severity) - order.indexOf(other.severity);
  return severity || (one.expiresAt ?? Infinity) - (other.expiresAt ?? Infinity) || 0;
}

/** For programs: times as ISO 8601. */
export function expiringJson({ expiresAt, ...rest }: Expiring): object {
  return { ...rest, expiresAt: expiresAt === undefined ? null : isoTime(epochMillis(expiresAt)) };
}
