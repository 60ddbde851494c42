import type { AccountId } from "../claims/account.ts";
import { defined } from "../time/defined.ts";
import { type EpochMillis, epochMillis, formatDuration, isoTime, type Millis, millis } from "../time/time.ts";
import { type ExpiryPolicy, leadsOf } from "./expiry-policy.ts";

/** What can expire or be retired. */
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

/** Something that expires, before it is judged. */
export interface Ending {
  readonly kind: ExpiringKind;
  /** A name, an address or a reference; never a secret. */
  readonly what: string;
  readonly account?: AccountId;
  /** When its validity begins and ends. Without an end it is valid forever. */
  readonly begins?: EpochMillis;
  readonly expiresAt?: EpochMillis;
  /** Another problem; makes it at least a warning. */
  readonly fault?: string;
  /** Why it could not be read. */
  readonly unseen?: string;
}

/** The same, judged. */
export interface Expiring extends Pick<Ending, "kind" | "what" | "account" | "expiresAt"> {
  readonly severity: ExpirySeverity;
  readonly message: string;
}

/** Without these nobody connects at all, so their warnings are critical. */
const TOP: readonly ExpiringKind[] = ["operator", "system-account", "system-credentials"];

/**
 * Judges by the policy's thresholds. People renew most of these, so the warning comes when the window opens. Certificates
 * are usually renewed automatically, so they get the thresholds of an account that Relight renews.
 */
export function judge(ending: Ending, policy: ExpiryPolicy, now: EpochMillis): Expiring {
  const { kind, what, account, expiresAt } = ending;
  const base = { kind, what, ...defined({ account, expiresAt }) };
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

const RANK: Readonly<Record<ExpirySeverity, number>> = { critical: 0, unknown: 1, warning: 2, ok: 3 };

/** Compares by urgency, the most urgent first. */
export function byUrgency(one: Expiring, other: Expiring): number {
  const severity = RANK[one.severity] - RANK[other.severity];
  return severity || (one.expiresAt ?? Infinity) - (other.expiresAt ?? Infinity) || 0;
}

/** For programs: times as ISO 8601. */
export function expiringJson({ expiresAt, ...rest }: Expiring): object {
  return { ...rest, expiresAt: expiresAt === undefined ? null : isoTime(epochMillis(expiresAt)) };
}
