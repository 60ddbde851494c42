import type { FailureClass } from "../domain/incident.ts";
import { unfinishedJob } from "../domain/journal.ts";
import type { JsonObject } from "../domain/json.ts";
import { asRelightError, type RelightError } from "../errors.ts";
import type { Job } from "../ports.ts";
import { type Context, type RunningJob, record } from "./context.ts";
import { escalate } from "./escalate.ts";
import { withLease } from "./lease.ts";

/** A job with an id of its own: for a trigger that nobody repeats, such as a person at the console. */
export function jobFor({ newId }: Pick<Context, "newId">, job: Omit<Job, "id">): Job {
  const id = newId();
  return { correlation: id, ...job, id };
}

/**
 * Runs the work on one account under its lease, between `job.started` and `job.finished` in the journal.
 * A job that ends in an error that trying again can mend stays unfinished on purpose: the next one resumes.
 * @throws RelightError `account.busy`, and whatever `work` throws (after escalating what a person must mend).
 */
export async function runJob<T extends { readonly outcome: string }>(
  context: Context,
  { account, action, trigger, reason }: Job,
  work: (job: RunningJob) => Promise<T>,
): Promise<T> {
  const id = context.newId();
  return withLease(context, `account/${account}`, id, async (lost) => {
    const job: RunningJob = { id, account, lost };
    try {
      const kinds = ["job.started", "job.finished"] as const;
      const interrupted = unfinishedJob(await context.journal.read({ account, kinds, limit: 1 }));
      const resumes = interrupted === undefined ? {} : { resumes: interrupted.job };
      const tie = context.correlation === undefined ? {} : { correlation: context.correlation };
      await record(context, job, "job.started", { action, trigger, reason, ...tie, ...resumes });
      const result = await work(job);
      await record(context, job, "job.finished", { outcome: result.outcome });
      return result;
    } catch (thrown) {
      await failed(context, job, thrown);
      throw thrown;
    }
  });
}

async function failed(context: Context, job: RunningJob, thrown: unknown): Promise<void> {
  const error = asRelightError(thrown);
  if (!error.retryable)
    await record(context, job, "job.finished", { outcome: "failed", error: error.toJSON() });
  if (error.code === "interrupted" || error.code === "nats.connection_lost") return;
  await escalate(context, job, {
    failureClass: classOf(error),
    severity: "critical",
    summary: error.message.split("\n")[0] ?? error.code,
    advice: [error.mend],
    evidence: { error: error.toJSON() as JsonObject },
    about: error.code,
  });
}

function classOf({ code }: RelightError): FailureClass {
  if (code === "gate.refused" || code === "jwt.malformed") return "push_refused";
  const isRenewal = code.startsWith("push.") || code.startsWith("signer.") || code === "account.no_claims";
  return isRenewal ? "renewal_failed" : "unknown";
}
