import type { AccountId } from "../claims/account.ts";
import type { JsonObject } from "../time/json.ts";
import { type FindingCode, isRevived, type Verdict } from "../verdict/verdict.ts";
import type { FailureClass } from "./classes.ts";

/** Classes about renewals. A healthy account can have them, so a healthy verdict does not resolve them. */
export const RENEWAL_CLASSES: readonly FailureClass[] = [
  ...(["renewal_failed", "expiry_near", "expiry_imminent", "readings_disagree"] as const),
];

/** Details of an error that prevented a renewal, if its code does not say so. */
export const STOPS_RENEWAL = { stops: "renewal" } as const;

/** A page: what is wrong, with evidence. Pages with the same key belong to one incident. */
export interface Incident {
  readonly key: string;
  readonly status: "open" | "resolved";
  /** The worst of what is wrong now. It may change while the incident is open. */
  readonly failureClass: FailureClass;
  readonly account: AccountId | "-";
  readonly accountName: string;
  readonly severity: "warning" | "critical";
  /** What is wrong, or how it ended. */
  readonly summary: string;
  /** What else is wrong; absent if nothing is. */
  readonly also?: readonly string[];
  /** What users notice, in sentences. Absent in pages of older versions. */
  readonly impact?: string;
  /** What was wrong: before this page, if that was something else, or until the incident was resolved. */
  readonly was?: string;
  /** What to do now, in sentences. */
  readonly advice: readonly string[];
  /** What to type now. Absent if there is nothing to do, and in pages of older versions. */
  readonly command?: string;
  /** What was observed, tried and proved. Contains no secrets. */
  readonly evidence: JsonObject;
  /** Since when it is wrong, as far as is known; ISO 8601, UTC. */
  readonly since: string;
  /** The first page of an incident. `since` may be earlier. */
  readonly first?: true;
  /** When this page was made; ISO 8601, UTC. */
  readonly at: string;
  /** Finds the cause of this page in logs, journal and traces. */
  readonly correlation?: string;
}

/**
 * The same for every page of one incident. An account has at most one open incident, whose key names the class that it
 * began with; the cluster has one per class.
 */
export function incidentKey(operator: string, account: AccountId | "-", failureClass: FailureClass): string {
  return `relight/${operator}/${account}/${failureClass}`;
}

const DIFFERENCES: readonly FindingCode[] = ["source.differs", "source.unknown_account", "claims.overwritten"];

/** The failure class of a verdict; undefined if it is healthy. */
export function failureClassOf(verdict: Verdict): FailureClass | undefined {
  if (verdict.health === "healthy") return undefined;
  if (verdict.findings.some(({ code }) => code === "account.expired")) return "account_expired";
  if (verdict.findings.some(({ code }) => code === "account.deleted" || code === "account.gone"))
    return "account_deleted";
  if (verdict.findings.some(({ code }) => code === "source.missing_account")) return "account_missing";
  const isDifference = verdict.findings.length > 0 && verdict.findings.every(({ code }) => DIFFERENCES.includes(code));
  if (verdict.health === "degraded" && isDifference)
    return verdict.findings.some(({ code }) => code === "claims.overwritten") ? "claims_overwritten" : "claims_differ";
  const isMore = verdict.findings.some(({ code }) => code !== "limit.tiers_unproven");
  if (isMore && isRevived(verdict))
    return verdict.findings.some(({ code }) => code === "asset.lost") ? "assets_lost" : "limits_reached";
  if (verdict.health === "dead") return "jetstream_dead";
  return verdict.health;
}
