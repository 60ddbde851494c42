import { type JobFacts, measuresOfFailedJob, measuresOfJob } from "../../domain/metrics/measures.ts";
import { defined } from "../../domain/time/defined.ts";
import { asRelightError } from "../../errors.ts";
import type { Announcer, JobNotice } from "../../ports/announcer.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Job } from "../../ports/jobs.ts";
import type { Log } from "../../ports/log.ts";
import type { Metrics } from "../../ports/observers.ts";

/** Who hears of the end of a job. */
export interface EndDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Absent where no program listens. */
  readonly announcer?: Announcer;
}

/** How a job ended. */
export interface JobEnd extends JobFacts {
  /** The JWT that was pushed, if one was. */
  readonly pushed?: object;
}

type Which = Pick<Job, "account" | "action" | "trigger" | "correlation">;

/** Counts the job, and tells programs how it ended if it changed or refused something. */
export async function tellEnd(deps: EndDependencies, job: Which, end: JobEnd): Promise<void> {
  deps.metrics.emit(measuresOfJob(end, deps.clock.now()));
  if (changedSomething(end)) await announce(deps, job, { outcome: end.outcome, verdict: end.verdict.health });
}

/** The same of one that failed. A job that another try can mend has not ended, and is announced to nobody. */
export async function tellFailure(deps: EndDependencies, job: Which, thrown: unknown): Promise<void> {
  const { retryable, code } = asRelightError(thrown);
  deps.metrics.emit(measuresOfFailedJob({ retryable }));
  if (!retryable) await announce(deps, job, { outcome: "failed", error: code });
}

/** How a job ends that found nothing to do, or may do nothing. */
const IDLE: readonly string[] = ["healthy", "verified", "looked", "expired", "deleted"];

/** Or refused it. */
function changedSomething({ outcome, rungs, pushed }: JobEnd): boolean {
  return !IDLE.includes(outcome) || rungs.length > 0 || pushed !== undefined;
}

/** What can't be announced is logged and nothing else: the journal has it, and a page is another matter. */
async function announce(
  { log, announcer }: EndDependencies,
  { account, action, trigger, correlation }: Which,
  end: Pick<JobNotice, "outcome" | "verdict" | "error">,
): Promise<void> {
  const notice: JobNotice = { account, action, trigger, ...end, ...defined({ correlation }) };
  await announcer?.jobFinished(notice).catch((thrown: unknown) => {
    log.error("the end of a job could not be announced", { account, error: asRelightError(thrown).toJSON() });
  });
}
