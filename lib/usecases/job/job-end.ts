import type { AccountId } from "../../domain/claims/account.ts";
import { type PageEnd, wasCalled } from "../../domain/incidents/page-end.ts";
import type { Ending } from "../../domain/journal/last-job.ts";
import { type JobFacts, measuresOfFailedJob, measuresOfJob } from "../../domain/metrics/measures.ts";
import { defined } from "../../domain/time/defined.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import { asRelightError } from "../../errors.ts";
import type { Announcer, JobNotice } from "../../ports/announcer.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Job } from "../../ports/jobs.ts";
import type { Log } from "../../ports/log.ts";
import type { AccountState, Metrics } from "../../ports/observers.ts";

/** What reporting the end of a job needs. */
export interface EndDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Absent if no event bus is configured. */
  readonly announcer?: Announcer;
}

/** How a job ended. */
export interface JobEnd extends JobFacts {
  /** Of the account, as far as the job knows it. */
  readonly name?: string;
  /** The pushed JWT, if any. */
  readonly pushed?: object;
  /** What became of the page, if there was something to page about. */
  readonly page?: PageEnd;
}

/** Adds what became of the page: where nobody was called, the job was not `escalated`. */
export function withPage<End extends JobEnd>(end: End, page: PageEnd | undefined): End {
  if (page === undefined) return end;
  const isClaimed = end.outcome === "escalated" && !wasCalled(page);
  return { ...end, page, ...(isClaimed ? { outcome: "unhealed" } : {}) };
}

/** What helped, for the page that says that all is well again; undefined if Relight did nothing. */
export function describeRemedies(rungs: JobEnd["rungs"]): string | undefined {
  const helped = rungs.filter(({ result }) => result === "helped").map(({ rung }) => rung);
  return helped.length === 0 ? undefined : `Relight healed it: ${helped.join(", then ")}.`;
}

type Which = Pick<Job, "account" | "action" | "trigger" | "correlation">;

/** Counts the job, and announces its end if it changed or refused something. */
export async function reportEnd(deps: EndDependencies, job: Which, end: JobEnd): Promise<void> {
  deps.metrics.emit(measuresOfJob(end, deps.clock.now()));
  if (changedSomething(end)) await announce(deps, job, { outcome: end.outcome, verdict: end.verdict.health });
}

/** The same for a failed job. A job that will be retried has not ended and is not announced. */
export async function reportFailure(deps: EndDependencies, job: Which, thrown: unknown): Promise<void> {
  const { retryable, code } = asRelightError(thrown);
  deps.metrics.emit(measuresOfFailedJob({ retryable }));
  if (!retryable) await announce(deps, job, { outcome: "failed", error: code });
}

/** Outcomes of jobs that found nothing to do, or were not allowed to do anything. */
const IDLE: readonly string[] = ["healthy", "verified", "looked", "expired", "deleted"];

/** Or refused it. */
function changedSomething({ outcome, rungs, pushed }: JobEnd): boolean {
  return !IDLE.includes(outcome) || rungs.length > 0 || pushed !== undefined;
}

/** Only logs failed announcements: the journal has the end, and pages are separate. */
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

/** What the metrics show of the account from now on. */
export function stateOf(account: AccountId, { name, critical }: JobEnd, ending: Ending, at: EpochMillis): AccountState {
  const { verdict, verifiedAt, expiresAt, renewAt } = ending;
  return { account, at, ...defined({ name, critical, verdict, verifiedAt, expiresAt, renewAt }) };
}
