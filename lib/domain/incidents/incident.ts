import type { AccountId } from "../claims/account.ts";
import type { JsonObject } from "../time/json.ts";
import { type FindingCode, isRevived, type Verdict } from "../verdict/verdict.ts";

/** What a person is called for. Part of the incident's key, so each has one open incident per account. */
export const FAILURE_CLASSES = [
  "jetstream_dead",
  "account_expired",
  "account_deleted",
  "renewal_failed",
  "push_refused",
  "account_missing",
  "claims_differ",
  /** Not renewed in time, as the policy's thresholds have it: a warning, then a call. */
  "expiry_near",
  "expiry_imminent",
  /** What runs, what the resolver holds and what the journal knows of a critical account are not the same. */
  "readings_disagree",
  /** What is no account and comes near its end, or is to be given up. */
  "operator_expiring",
  "credentials_expiring",
  "activation_expiring",
  "certificate_expiring",
  "signing_key_retiring",
  /** Nothing but what a remedy lost, and nobody acknowledged. */
  "assets_lost",
  /** Nothing but limits: servers refuse messages or clients. */
  "limits_reached",
  /** The journal holds what would be acted on if anybody could prove that Relight wrote it. */
  "journal_unproved",
  "degraded",
  "unknown",
  "cluster_unreachable",
  /** An alarm of CloudWatch on Relight's own stack: one incident per alarm. */
  "stack_alarm",
] as const;

export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** Those that are about the renewal: an account in the best of health can have them, so health does not resolve them. */
export const RENEWAL_CLASSES: readonly FailureClass[] = [
  ...(["renewal_failed", "expiry_near", "expiry_imminent", "readings_disagree"] as const),
];

/** In the details of an error that is not one of signing or pushing by its code, and yet kept a renewal from being made. */
export const STOPS_RENEWAL = { stops: "renewal" } as const;

/** A page: what is wrong, with the evidence. Pages of one key are one incident. */
export interface Incident {
  readonly key: string;
  readonly status: "open" | "resolved";
  readonly failureClass: FailureClass;
  readonly account: AccountId | "-";
  readonly accountName: string;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** What to do now, in sentences. */
  readonly advice: readonly string[];
  /** What was seen, tried and proved; safe to show. */
  readonly evidence: JsonObject;
  /** When a person was first to be called about it since it was last resolved; ISO 8601, UTC. */
  readonly since: string;
  /** Of one that waited before anybody was told (`since` is earlier): this page is its first. */
  readonly first?: true;
  /** When this page was made; ISO 8601, UTC. */
  readonly at: string;
  /** Finds what led to this page in the logs, the journal and the traces. */
  readonly correlation?: string;
}

/** The same for every page about the same failure, whoever noticed it and how often. */
export function incidentKey(operator: string, account: AccountId | "-", failureClass: FailureClass): string {
  return `relight/${operator}/${account}/${failureClass}`;
}

const DIFFERENCES: readonly FindingCode[] = ["source.differs", "source.unknown_account"];

/** The class of failure that a verdict amounts to; undefined for a healthy one. */
export function failureClassOf(verdict: Verdict): FailureClass | undefined {
  if (verdict.verdict === "healthy") return undefined;
  if (verdict.findings.some(({ code }) => code === "account.expired")) return "account_expired";
  if (verdict.findings.some(({ code }) => code === "account.deleted" || code === "account.gone"))
    return "account_deleted";
  if (verdict.findings.some(({ code }) => code === "source.missing_account")) return "account_missing";
  if (verdict.findings.length > 0 && isRevived(verdict))
    return verdict.findings.some(({ code }) => code === "asset.lost") ? "assets_lost" : "limits_reached";
  if (verdict.verdict === "dead") return "jetstream_dead";
  const isDifference =
    verdict.findings.length > 0 && verdict.findings.every(({ code }) => DIFFERENCES.includes(code));
  if (verdict.verdict === "degraded" && isDifference) return "claims_differ";
  return verdict.verdict;
}
