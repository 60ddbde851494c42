import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { isWithdrawn } from "../../domain/claims/presence.ts";
import { type Alarm, alarmOf, expiryWindow } from "../../domain/expiry/expiry.ts";
import type { FailureClass } from "../../domain/incidents/classes.ts";
import { clock } from "../../domain/incidents/page-end.ts";
import { EVEN_UNPROVED, lastClaims } from "../../domain/journal/journal.ts";
import { allows } from "../../domain/ladder/mode.ts";
import { NO_SKEW } from "../../domain/observation/clocks.ts";
import { type EpochMillis, epochSeconds, formatDuration, isoTime, millis, toMillis } from "../../domain/time/time.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { claimsSeen } from "../journal/remembered.ts";
import type { Look } from "../observe/look.ts";
import { escalateOnce, resolveIncidents } from "../paging/escalate.ts";
import { type Decision, momentOf, renewalDecision } from "./renewal-decision.ts";

/**
 * After a job: pages a person about a coming expiry, and resolves incidents that no longer apply.
 * @param calls whether to page, or only to resolve: a person's own command pages nobody.
 */
export async function watchExpiry(context: Context, job: RunningJob, seen: Look, calls: boolean): Promise<void> {
  if (isWithdrawn(seen.presence)) {
    const isOwn = (failureClass: FailureClass): boolean => OWN_CLASSES.includes(failureClass);
    return resolveIncidents(context, job, isOwn, "the account was deleted, so it is not renewed");
  }
  const document = seen.known.renewable;
  if (document === undefined) return;
  const moment = momentOf(context, seen);
  const window = expiryWindow(document.claims, context.policyOf(job.account, document.claims), moment);
  const alarm = alarmOf(window, moment);
  const decision = await renewalDecision(context, job, seen);
  const holds: readonly FailureClass[] = [
    ...(alarm === "none" ? [] : (["expiry_near"] as const)),
    ...(alarm === "page" ? (["expiry_imminent"] as const) : []),
    ...(["fresh", "perpetual", "unknown"].includes(window.state) ? [] : (["renewal_failed"] as const)),
    ...(decision.decision === "disagree" ? (["readings_disagree"] as const) : []),
  ];
  const isOver = (failureClass: FailureClass): boolean =>
    OWN_CLASSES.includes(failureClass) && !holds.includes(failureClass);
  await resolveIncidents(context, job, isOver);
  if (!calls) return;
  if (decision.decision === "disagree") await pageDisagreement(context, job, document, decision.why);
  if (alarm !== "none") await pageExpiry(context, job, document, alarm, decision);
}

/** The same for an account that can't be checked, from the journal, because it still expires. */
export async function watchUnseen(context: Context, job: RunningJob): Promise<void> {
  const { journal, clock } = context;
  const { account } = job;
  const document = lastClaims(await claimsSeen(journal, account), EVEN_UNPROVED);
  if (document === undefined) return;
  const moment = { now: clock.now(), skew: NO_SKEW };
  const window = expiryWindow(document.claims, context.policyOf(account, document.claims), moment);
  const alarm = alarmOf(window, moment);
  const decision = { decision: "wait", why: "the cluster could not be checked" } as const;
  if (alarm !== "none") await pageExpiry(context, job, document, alarm, decision);
}

const OWN_CLASSES: readonly FailureClass[] = ["expiry_near", "expiry_imminent", "renewal_failed", "readings_disagree"];

async function pageDisagreement(
  context: Context,
  job: RunningJob,
  { claims }: ClaimsDocument,
  why: string,
): Promise<void> {
  await escalateOnce(context, job, {
    failureClass: "readings_disagree",
    severity: "critical",
    summary: `this critical account is due for renewal, but was not renewed: ${why}`,
    advice: [
      "Find out who changed what: the command compares what each place has.",
      "If the claims in force are right, renew them: `relight renew ACCOUNT`.",
    ],
    evidence: { jti: claims.jti, exp: claims.exp ?? null, why },
    about: why,
  });
}

function adviceOnExpiry({ mode }: Context, decision: Decision["decision"], isManual: boolean): readonly string[] {
  if (isManual) return ["It is renewed by hand: have its issuer create a new JWT and push it, or run the command."];
  if (!allows(mode.mode, "renew")) return ["Have its issuer create a new JWT and push it, or let Relight renew it."];
  // That has its own advice.
  if (decision === "disagree") return [];
  return ["The command tries again at once, and says what keeps it from being renewed."];
}

const impactAt = (at: EpochMillis): string =>
  `At ${clock(isoTime(at))} the claims expire, and servers refuse every client of the account.`;

async function pageExpiry(
  context: Context,
  job: RunningJob,
  { claims }: ClaimsDocument,
  alarm: Exclude<Alarm, "none">,
  { decision, why }: Decision,
): Promise<void> {
  const at = toMillis(claims.exp ?? epochSeconds(0));
  const left = millis(at - context.clock.now());
  const when = left > 0 ? `in ${formatDuration(left)}` : `${formatDuration(left)} ago`;
  const isManual = context.policyOf(job.account, claims).manual;
  const isOver = left <= 0;
  await escalateOnce(context, job, {
    failureClass: isOver ? "account_expired" : alarm === "page" ? "expiry_imminent" : "expiry_near",
    // Without the system account nobody can fix anything, so its warnings are critical.
    severity: alarm === "page" || job.account === context.operator.systemAccount ? "critical" : "warning",
    summary: `its claims ${isOver ? "expired" : "expire"} ${when}, and ${isManual ? "nobody has" : "Relight has not"} renewed them`,
    ...(isOver ? { since: isoTime(at) } : { impact: impactAt(at) }),
    advice: adviceOnExpiry(context, decision, isManual),
    evidence: { jti: claims.jti, expiresAt: isoTime(at), decision, why },
    about: claims.jti,
  });
}
