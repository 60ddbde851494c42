import type { FailureClass } from "../../domain/incidents/classes.ts";
import { STOPS_RENEWAL } from "../../domain/incidents/incident.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import type { RelightError } from "../../errors.ts";
import type { Trigger } from "../../ports/jobs.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";
import { escalate } from "../paging/escalate.ts";
import { isNearEnd } from "../paging/near-end.ts";

/** Errors that page nobody: a retry fixes them, or the dead letters' alarm pages. A failing journal would page for every account. */
const NOT_PAGED: readonly string[] = ["interrupted", "nats.connection_lost", "journal.unavailable"];

/** Pages a person about the error that ended a job, if necessary. */
export async function pageJobFailure(
  context: Context,
  job: RunningJob,
  error: RelightError,
  trigger: Trigger,
): Promise<void> {
  if (NOT_PAGED.includes(error.code)) return;
  // A person who orders something that the mode forbids sees the error; for other triggers, page.
  if (error.code === "mode.forbids" && trigger === "manual") return;
  const failureClass = classOf(error);
  const mayPass = failureClass === "unknown" && error.retryable && !(await hasSeen(context, job));
  const waits = mayPass && !(await isNearEnd(context, job.account, undefined)) ? "until-it-lasts" : "not-at-all";
  await escalate(context, job, {
    failureClass,
    waits,
    severity: "critical",
    summary: error.message.split("\n")[0] ?? error.code,
    advice: [error.advice],
    evidence: { error: error.toJSON() as JsonObject },
    about: error.code,
  });
}

/** Whether the job reached a known verdict; then there is no reason to wait. */
async function hasSeen({ journal }: Context, { id, account }: RunningJob): Promise<boolean> {
  const verdicts = await latestVerdicts(journal, account);
  return verdicts.some(({ job, data }) => job === id && data["verdict"] !== "unknown");
}

function classOf({ code, details }: RelightError): FailureClass {
  if (code === "account.deleted") return "account_deleted";
  if (code === "gate.refused" || code === "jwt.malformed" || code === "mode.forbids") return "push_refused";
  if (details["stops"] === STOPS_RENEWAL.stops) return "renewal_failed";
  const isRenewal = code.startsWith("push.") || code.startsWith("signer.") || code === "account.no_claims";
  return isRenewal ? "renewal_failed" : "unknown";
}
