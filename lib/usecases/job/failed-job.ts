import { type FailureClass, STOPS_RENEWAL } from "../../domain/incidents/incident.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import type { RelightError } from "../../errors.ts";
import type { Trigger } from "../../ports/jobs.ts";
import type { Context, RunningJob } from "../context/context.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";
import { escalate } from "../paging/escalate.ts";
import { isNearEnd } from "../paging/near-end.ts";

/** The next try mends these, or the dead letters' alarm calls; a journal that fails would call for every account. */
const UNCALLED: readonly string[] = ["interrupted", "nats.connection_lost", "journal.unavailable"];

/** Calls a person about the error that ended a job, where one has to know. */
export async function callAboutFailure(
  context: Context,
  job: RunningJob,
  error: RelightError,
  trigger: Trigger,
): Promise<void> {
  if (UNCALLED.includes(error.code)) return;
  // Who ordered by hand what the mode forbids is told so; what came by itself is told to whoever is called.
  if (error.code === "mode.forbids" && trigger === "manual") return;
  const failureClass = classOf(error);
  const mayPass = failureClass === "unknown" && error.retryable && !(await hasSeen(context, job));
  const waits =
    mayPass && !(await isNearEnd(context, job.account, undefined)) ? "until-it-lasts" : "not-at-all";
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

/** Whether the job came to a verdict that says something: what it found then is nothing to wait with. */
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
