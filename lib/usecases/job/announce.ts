import { defined } from "../../domain/time/defined.ts";
import { asRelightError } from "../../errors.ts";
import type { Announcer, JobNotice } from "../../ports/announcer.ts";
import type { Job } from "../../ports/jobs.ts";
import type { Log } from "../../ports/log.ts";
import type { Remediation } from "../remediate/remediate.ts";

interface AnnounceDependencies {
  readonly log: Log;
  /** Absent where nobody is to be told. */
  readonly announcer: Announcer | undefined;
}

/**
 * Does the job, and tells programs how it ended if it changed or refused something. A job that another try can mend
 * has not ended. What can't be told is logged and nothing else: the journal has it, and a page is another matter.
 */
export async function announced(
  deps: AnnounceDependencies,
  job: Job,
  work: () => Promise<Remediation>,
): Promise<Remediation> {
  try {
    const result = await work();
    if (changedSomething(result))
      await announce(deps, job, result.outcome, { verdict: result.verdict.verdict });
    return result;
  } catch (thrown) {
    const { retryable, code } = asRelightError(thrown);
    if (!retryable) await announce(deps, job, "failed", { error: code });
    throw thrown;
  }
}

/** Or refused it. Who only looked, and who found nothing to do, tells nothing. */
function changedSomething({ outcome, rungs, pushed }: Remediation): boolean {
  const acted = outcome !== "healthy" && outcome !== "verified" && outcome !== "looked";
  return acted || rungs.length > 0 || pushed !== undefined;
}

async function announce(
  { log, announcer }: AnnounceDependencies,
  { account, action, trigger, correlation }: Job,
  outcome: string,
  end: Pick<JobNotice, "verdict" | "error">,
): Promise<void> {
  const { verdict, error } = end;
  const notice: JobNotice = {
    account,
    outcome,
    action,
    trigger,
    ...defined({ correlation }),
    ...defined({ verdict }),
    ...defined({ error }),
  };
  await announcer?.jobFinished(notice).catch((thrown: unknown) => {
    log.error("the end of a job could not be announced", { account, error: asRelightError(thrown).toJSON() });
  });
}
