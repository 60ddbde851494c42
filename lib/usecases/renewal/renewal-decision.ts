import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { describeWithdrawal, isWithdrawn } from "../../domain/claims/presence.ts";
import { decideRenewal, EXPIRED, type Moment, type RenewalDecision } from "../../domain/expiry/expiry.ts";
import type { ExpiryPolicy } from "../../domain/expiry/expiry-policy.ts";
import { incidentKey } from "../../domain/incidents/incident.ts";
import { claimsKnownBefore } from "../../domain/journal/journal.ts";
import { skewOf } from "../../domain/observation/clocks.ts";
import { disagreement } from "../../domain/observation/readings.ts";
import { unreadable } from "../../domain/verdict/claims-findings.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { provedBy } from "../journal/proof.ts";
import type { Look } from "../observe/look.ts";

/** What to do about the account's renewal, or why a renewal is not safe. */
export type Decision =
  | RenewalDecision
  | { readonly decision: "disagree"; readonly why: string }
  | { readonly decision: "nothing known"; readonly why: string }
  /** Only a person may bring it back. */
  | { readonly decision: "withdrawn"; readonly why: string };

export const momentOf = ({ clock }: Context, { observation }: Look): Moment => ({
  now: clock.now(),
  skew: skewOf(observation.servers),
});

/**
 * Decides on the account's renewal. An account that the cluster no longer has is renewed only if its last known claims have
 * expired, because then a full resolver deletes the JWT; otherwise a person deleted it.
 */
export async function renewalDecision(
  context: Context,
  job: Pick<RunningJob, "id" | "account">,
  seen: Look,
): Promise<Decision> {
  if (isWithdrawn(seen.presence)) return { decision: "withdrawn", why: describeWithdrawal(seen.presence) };
  const document = seen.known.renewable;
  if (document === undefined) return { decision: "nothing known", why: whyNothing(seen) };
  const policy = context.policyOf(job.account, document.claims);
  const decision = decide(context, seen, document, policy);
  if (decision.decision !== "renew") return decision;
  if (policy.critical) {
    const why = await disagreementOf(context, job, seen);
    if (why !== undefined) return { decision: "disagree", why };
  }
  if (seen.claims !== undefined) return decision;
  if (decision.why !== EXPIRED) return { decision: "wait", why: "no server or resolver has it" };
  return { ...decision, why: "it had expired, and the resolver deleted it" };
}

function whyNothing({ observation, known }: Look): string {
  const unread = unreadable(observation);
  if (unread !== undefined) return unread.message;
  return known.unproved === undefined ? "its claims are unknown" : UNPROVED_CLAIMS;
}

/** Why an account that only the journal knows is not renewed; for people. */
export const UNPROVED_CLAIMS =
  "nothing proves that the operator ever signed the claims in the journal; push the account's JWT from its source of truth";

/** Without claims in force, the last known ones count; a source that was renewed since is not in force. */
function decide(context: Context, seen: Look, document: ClaimsDocument, policy: ExpiryPolicy): RenewalDecision {
  const moment = momentOf(context, seen);
  const decision = decideRenewal((seen.known.lastSeen ?? document).claims, policy, moment);
  return decision.decision === "renew" && decision.why === EXPIRED
    ? decision
    : decideRenewal(document.claims, policy, moment);
}

async function disagreementOf(
  context: Context,
  { id, account }: Pick<RunningJob, "id" | "account">,
  { observation }: Look,
): Promise<string | undefined> {
  const { journal, operator } = context;
  const kinds = ["claims.seen", "incident.opened", "incident.resolved"] as const;
  const entries = await journal.read({ account, kinds });
  const key = incidentKey(operator.id, account, "readings_disagree");
  return disagreement(observation, operator, claimsKnownBefore(entries, id, key, provedBy(context)));
}
