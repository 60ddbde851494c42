import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { describeWithdrawal, isWithdrawn } from "../../domain/claims/presence.ts";
import {
  type Alarm,
  alarmOf,
  decideRenewal,
  EXPIRED,
  expiryWindow,
  type Moment,
  type RenewalDecision,
} from "../../domain/expiry/expiry.ts";
import type { ExpiryPolicy } from "../../domain/expiry/expiry-policy.ts";
import { type FailureClass, incidentKey } from "../../domain/incidents/incident.ts";
import { claimsKnownBefore, lastClaims, TOLD_ONLY } from "../../domain/journal/journal.ts";
import { allows } from "../../domain/ladder/mode.ts";
import { NO_SKEW, skewOf } from "../../domain/observation/clocks.ts";
import { disagreement } from "../../domain/observation/readings.ts";
import { epochSeconds, formatDuration, isoTime, millis, toMillis } from "../../domain/time/time.ts";
import { unreadable } from "../../domain/verdict/claims-findings.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { provedBy } from "../journal/proof.ts";
import { claimsSeen, unprovedClaims } from "../journal/remembered.ts";
import type { Look } from "../observe/look.ts";
import { claimsToRenew, UNPROVED_CLAIMS } from "../observe/verify.ts";
import { escalateOnce, resolveIncidents } from "../paging/escalate.ts";

/** What to do about the account's renewal, or why it can't be trusted to be right. */
export type Decision =
  | RenewalDecision
  | { readonly decision: "disagree"; readonly why: string }
  | { readonly decision: "nothing known"; readonly why: string }
  /** Nobody but a person may bring it back. */
  | { readonly decision: "withdrawn"; readonly why: string };

export const momentOf = ({ clock }: Context, { observation }: Look): Moment => ({
  now: clock.now(),
  skew: skewOf(observation.servers),
});

/**
 * Decides on the account's renewal now. One that the cluster no longer knows is brought back only if its last
 * known claims have expired, which is when a full resolver deletes them; else a person deleted it.
 */
export async function renewalDecision(
  context: Context,
  job: Pick<RunningJob, "id" | "account">,
  seen: Look,
): Promise<Decision> {
  if (isWithdrawn(seen.presence)) return { decision: "withdrawn", why: describeWithdrawal(seen.presence) };
  const document = await claimsToRenew(context, seen);
  if (document === undefined) return { decision: "nothing known", why: await whyNothing(context, seen) };
  const policy = context.policyOf(job.account, document.claims);
  const decision = await decide(context, seen, document, policy);
  if (decision.decision !== "renew") return decision;
  if (policy.critical) {
    const why = await disagreementOf(context, job, seen);
    if (why !== undefined) return { decision: "disagree", why };
  }
  if (seen.claims !== undefined) return decision;
  if (decision.why !== EXPIRED) return { decision: "wait", why: "no server and no resolver has it" };
  return { ...decision, why: "it had expired, and the resolver deleted it" };
}

async function whyNothing(context: Context, { observation }: Look): Promise<string> {
  const { account } = observation;
  const unread = unreadable(observation);
  if (unread !== undefined) return unread.message;
  return (await unprovedClaims(context, account)).length > 0 ? UNPROVED_CLAIMS : "nobody knows its claims";
}

/** Where nothing is in force, what was last seen counts: a source that was renewed since is not in force. */
async function decide(
  context: Context,
  { source: _source, ...seen }: Look,
  document: ClaimsDocument,
  policy: ExpiryPolicy,
): Promise<RenewalDecision> {
  const moment = momentOf(context, seen);
  const last = seen.claims === undefined ? await claimsToRenew(context, seen) : undefined;
  const decision = decideRenewal((last ?? document).claims, policy, moment);
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

/**
 * After a job: calls a person about an expiry that comes too near, and takes back what no longer holds.
 * @param calls whether to call, or only to take back: what a person does at the console calls nobody.
 */
export async function watchExpiry(
  context: Context,
  job: RunningJob,
  seen: Look,
  calls: boolean,
): Promise<void> {
  if (isWithdrawn(seen.presence)) {
    const isOwn = (failureClass: FailureClass): boolean => OWN_CLASSES.includes(failureClass);
    return resolveIncidents(context, job, isOwn, "the account was deleted");
  }
  const document = await claimsToRenew(context, seen);
  if (document === undefined) return;
  const window = expiryWindow(
    document.claims,
    context.policyOf(job.account, document.claims),
    momentOf(context, seen),
  );
  const alarm = alarmOf(window, momentOf(context, seen));
  const decision = await renewalDecision(context, job, seen);
  const holds: readonly FailureClass[] = [
    ...(alarm === "none" ? [] : (["expiry_near"] as const)),
    ...(alarm === "page" ? (["expiry_imminent"] as const) : []),
    ...(["fresh", "perpetual", "unknown"].includes(window.state) ? [] : (["renewal_failed"] as const)),
    ...(decision.decision === "disagree" ? (["readings_disagree"] as const) : []),
  ];
  const isOver = (failureClass: FailureClass): boolean =>
    OWN_CLASSES.includes(failureClass) && !holds.includes(failureClass);
  await resolveIncidents(context, job, isOver, "no longer so");
  if (!calls) return;
  if (decision.decision === "disagree") await callAboutReadings(context, job, document, decision.why);
  if (alarm !== "none") await callAboutExpiry(context, job, document, alarm, decision);
}

/** The same for an account that can't be looked at: the journal knows when it expires, and time goes on. */
export async function watchUnseen(context: Context, job: RunningJob): Promise<void> {
  const { journal, clock } = context;
  const { account } = job;
  const document = lastClaims(await claimsSeen(journal, account), TOLD_ONLY);
  if (document === undefined) return;
  const moment = { now: clock.now(), skew: NO_SKEW };
  const alarm = alarmOf(
    expiryWindow(document.claims, context.policyOf(account, document.claims), moment),
    moment,
  );
  const decision = { decision: "wait", why: "the cluster could not be looked at" } as const;
  if (alarm !== "none") await callAboutExpiry(context, job, document, alarm, decision);
}

const OWN_CLASSES: readonly FailureClass[] = [
  ...(["expiry_near", "expiry_imminent", "renewal_failed", "readings_disagree"] as const),
];

async function callAboutReadings(
  context: Context,
  job: RunningJob,
  { claims }: ClaimsDocument,
  why: string,
): Promise<void> {
  await escalateOnce(context, job, {
    failureClass: "readings_disagree",
    severity: "critical",
    summary: `this critical account is due for renewal and was not renewed: ${why}`,
    advice: [
      "Find out who changed what (`relight verify`, `relight journal`, `relight diff`).",
      "If the claims in force are right, `relight renew ACCOUNT` renews them.",
    ],
    evidence: { jti: claims.jti, exp: claims.exp ?? null, why },
    about: why,
  });
}

async function callAboutExpiry(
  context: Context,
  job: RunningJob,
  { claims }: ClaimsDocument,
  alarm: Exclude<Alarm, "none">,
  { decision, why }: Decision,
): Promise<void> {
  const at = toMillis(claims.exp ?? epochSeconds(0));
  const left = millis(at - context.clock.now());
  const when = `${formatDuration(left)} ${left > 0 ? "from now" : "ago"}`;
  const isManual = context.policyOf(job.account, claims).manual;
  await escalateOnce(context, job, {
    failureClass: alarm === "page" ? "expiry_imminent" : "expiry_near",
    // Without the system account nobody mends anything: a warning about it is as bad as a call.
    severity: alarm === "page" || job.account === context.operator.systemAccount ? "critical" : "warning",
    summary: `the account's claims ${left > 0 ? "expire" : "expired"} ${when}, and ${isManual ? "nobody has" : "Relight has not"} renewed them`,
    advice: [
      isManual
        ? "It is renewed by hand: have its issuer make a new JWT and push it, or `relight renew ACCOUNT`."
        : !allows(context.mode.mode, "renew")
          ? "Have its issuer make a new JWT and push it, or let Relight renew it."
          : "See why in `relight journal ACCOUNT`; `relight renew ACCOUNT` tries again at once.",
    ],
    evidence: { jti: claims.jti, expiresAt: isoTime(at), decision, why },
    about: claims.jti,
  });
}
