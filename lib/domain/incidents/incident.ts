import type { AccountId } from "../claims/account.ts";
import type { JsonObject } from "../time/json.ts";
import { type FindingCode, isRevived, type Verdict } from "../verdict/verdict.ts";

/** Why a person is paged. Part of the incident's key, so each class has at most one open incident per account. */
export const FAILURE_CLASSES = [
  "jetstream_dead",
  "account_expired",
  "account_deleted",
  "renewal_failed",
  "push_refused",
  "account_missing",
  "claims_differ",
  /** Not renewed by the policy's thresholds: a warning, then critical. */
  "expiry_near",
  "expiry_imminent",
  /** For a critical account, the servers, the resolver and the journal have different claims. */
  "readings_disagree",
  /** Expiries of other things than accounts, and signing keys to be removed. */
  "operator_expiring",
  "credentials_expiring",
  "activation_expiring",
  "certificate_expiring",
  "signing_key_retiring",
  /** Only unacknowledged losses. */
  "assets_lost",
  /** Only limits: servers refuse messages or clients. */
  "limits_reached",
  /** The journal has an entry that Relight would act on, but its proof is missing or wrong. */
  "journal_unproved",
  "degraded",
  "unknown",
  "cluster_unreachable",
  /** A CloudWatch alarm of Relight's own stack; one incident per alarm. */
  "stack_alarm",
] as const;

export type FailureClass = (typeof FAILURE_CLASSES)[number];

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
  readonly failureClass: FailureClass;
  readonly account: AccountId | "-";
  readonly accountName: string;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** What to do now, in sentences. */
  readonly advice: readonly string[];
  /** What was observed, tried and proved. Contains no secrets. */
  readonly evidence: JsonObject;
  /** When the incident was opened, since its last resolution; ISO 8601, UTC. */
  readonly since: string;
  /** The first page of an incident that waited before anybody was paged (`since` is earlier). */
  readonly first?: true;
  /** When this page was made; ISO 8601, UTC. */
  readonly at: string;
  /** Finds the cause of this page in logs, journal and traces. */
  readonly correlation?: string;
}

/** The same for every page about the same failure. */
export function incidentKey(operator: string, account: AccountId | "-", failureClass: FailureClass): string {
  return `relight/${operator}/${account}/${failureClass}`;
}

const DIFFERENCES: readonly FindingCode[] = ["source.differs", "source.unknown_account"];

/** The failure class of a verdict; undefined if it is healthy. */
export function failureClassOf(verdict: Verdict): FailureClass | undefined {
  if (verdict.health === "healthy") return undefined;
  if (verdict.findings.some(({ code }) => code === "account.expired")) return "account_expired";
  if (verdict.findings.some(({ code }) => code === "account.deleted" || code === "account.gone"))
    return "account_deleted";
  if (verdict.findings.some(({ code }) => code === "source.missing_account")) return "account_missing";
  if (verdict.findings.length > 0 && isRevived(verdict))
    return verdict.findings.some(({ code }) => code === "asset.lost") ? "assets_lost" : "limits_reached";
  if (verdict.health === "dead") return "jetstream_dead";
  const isDifference = verdict.findings.length > 0 && verdict.findings.every(({ code }) => DIFFERENCES.includes(code));
  if (verdict.health === "degraded" && isDifference) return "claims_differ";
  return verdict.health;
}
