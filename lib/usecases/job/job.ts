import type { PageDraft } from "../../domain/incidents/trouble.ts";
import { type Ending, endingData } from "../../domain/journal/last-job.ts";
import { defined } from "../../domain/time/defined.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import { asRelightError, errorFields } from "../../errors.ts";
import type { NewJob } from "../../ports/jobs.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { withLease } from "../context/lease.ts";
import { logWith, traced } from "../context/trace.ts";
import { rememberingJournal } from "../journal/remembering-journal.ts";
import { settleIncidents } from "../paging/settle.ts";
import { pageJobFailure } from "./failed-job.ts";
import {
  describeRemedies,
  type EndDependencies,
  type JobEnd,
  reportEnd,
  reportFailure,
  stateOf,
  withPage,
} from "./job-end.ts";
import { noLongerWaits } from "./waiting.ts";

/** What a job needs before it connects to anything, and to report its end. */
export interface JobDependencies extends EndDependencies {
  readonly newId: () => string;
  /** Connects to the cluster at the first call. @throws RelightError `nats.*`, `secret.*` */
  readonly context: () => Promise<Context>;
}

/** The result of a job's work: how it ended, and what the journal keeps for the next sweep. */
export interface WorkDone<End extends JobEnd> {
  readonly end: End;
  readonly ending: Omit<Ending, "verifiedAt">;
}

/** The same with everything that the journal keeps. */
interface Finished<End extends JobEnd> {
  readonly end: End;
  readonly ending: Ending;
}

export type Work<End extends JobEnd> = (context: Context, job: RunningJob) => Promise<WorkDone<End>>;

/**
 * Runs a job, whatever triggered it: under the account's lease, between `job.started` and `job.finished` in the journal.
 * Its log lines, pages and trace carry the trigger's correlation id. Its end is counted, and announced if it changed or
 * refused something.
 * @throws RelightError `account.busy`, and the errors of `work`, after paging a person about those that only a person can
 * fix
 */
export async function runJob<End extends JobEnd>(
  deps: JobDependencies,
  order: NewJob,
  work: Work<End>,
): Promise<End & Correlated> {
  // Messages of older versions have no correlation.
  const job = { ...order, correlation: order.correlation ?? order.id ?? deps.newId() };
  try {
    const { end, ending } = await logged(await deps.context(), job, work);
    deps.metrics.live?.accounts([stateOf(order.account, end, ending, deps.clock.now())], "some");
    await reportEnd(deps, job, end);
    return { ...end, correlation: job.correlation };
  } catch (thrown) {
    await reportFailure(deps, job, thrown);
    throw thrown;
  }
}

/** The id of everything that one trigger led to. */
interface Correlated {
  readonly correlation: string;
}
type Order = NewJob & Correlated;

/** Logs the beginning and the end, and adds a step to the trace. */
async function logged<End extends JobEnd>(outer: Context, order: Order, work: Work<End>): Promise<Finished<End>> {
  const { account, action, trigger, reason, correlation } = order;
  const { clock } = outer;
  const log = logWith(outer.log, { correlation, account });
  const context = { ...outer, log, correlation };
  const began = clock.now();
  const ended = () => ({ action, tookMs: clock.now() - began });
  log.info("a job began", { action, trigger, reason });
  try {
    const facts = { correlation, account, action };
    const finished = await traced(context, "job", () => leased(context, order, work), facts);
    log.info("a job ended", { ...outcomeFields(finished.end, clock.now()), ...ended() });
    return finished;
  } catch (thrown) {
    const level = asRelightError(thrown).code === "account.busy" ? "info" : "error";
    log[level]("a job failed", { outcome: "failed", ...ended(), ...errorFields(thrown) });
    throw thrown;
  }
}

function outcomeFields({ outcome, expiresAt, unwellSince, healthySince }: JobEnd, now: EpochMillis): object {
  const until = healthySince === undefined ? now : Date.parse(healthySince);
  return {
    outcome,
    ...defined({ expiresAt }),
    ...(unwellSince === undefined ? {} : { recoverSeconds: (until - Date.parse(unwellSince)) / 1_000 }),
  };
}

/**
 * Runs one job per account at a time. While the job holds the lease, nobody else writes what it reads about its account,
 * so journal reads are cached.
 */
function leased<End extends JobEnd>(outer: Context, order: Order, work: Work<End>): Promise<Finished<End>> {
  const { account, trigger, undelete } = order;
  const id = outer.newId();
  return withLease(outer, `account/${account}`, id, async (lost) => {
    if (trigger === "webhook" && order.id !== undefined) await begins(outer, order, order.id);
    const context = { ...outer, journal: rememberingJournal(outer.journal, account, lost) };
    const job = { id, account, lost, ...(undelete && trigger === "manual" ? { undelete } : {}) };
    return journaled(context, job, order, work);
  });
}

/** A marker that can't be removed ends by itself. */
async function begins({ leases, log }: Context, order: Order, holder: string): Promise<void> {
  await noLongerWaits(leases, order, holder).catch((thrown: unknown) => {
    log.warn("the marker of a waiting job could not be removed", { error: asRelightError(thrown).toJSON() });
  });
}

/** After a retryable error the job stays unfinished in the journal on purpose: the next job resumes it. */
async function journaled<End extends JobEnd>(
  outer: Context,
  job: RunningJob,
  { action, trigger, reason, correlation }: Order,
  work: Work<End>,
): Promise<Finished<End>> {
  const draft: PageDraft = { troubles: [], ended: [] };
  const context = { ...outer, draft };
  let isSettled = false;
  let running = job;
  let before: Pick<Ending, "verifiedAt"> = {};
  try {
    const last = (await context.journal.latest([job.account])).get(job.account);
    before = defined({ verifiedAt: last?.verifiedAt });
    const resumes = last?.state === "running" ? { resumes: last.job } : {};
    running = { ...job, ...resumes };
    const started = { action, trigger, reason, correlation, ...before, ...resumes };
    await record(context, running, "job.started", started);
    const { end: done, ending } = await work(context, running);
    isSettled = true;
    const page = await settleIncidents(context, running, draft, describeRemedies(done.rungs));
    const end = withPage(done, outer.mode.dryRun ? undefined : page);
    const known = { ...before, ...ending, ...verifiedNow(context, ending) };
    await record(context, running, "job.finished", { outcome: end.outcome, correlation, ...endingData(known) });
    return { end, ending: known };
  } catch (thrown) {
    const error = asRelightError(thrown);
    const end = { outcome: "failed", error: error.toJSON(), correlation, ...endingData(before) };
    if (!error.retryable) await record(context, running, "job.finished", end);
    try {
      await pageJobFailure(isSettled ? outer : context, running, error, trigger);
    } finally {
      if (!isSettled) await settleIncidents(context, running, draft);
    }
    throw thrown;
  }
}

function verifiedNow({ clock }: Context, { verdict }: Ending): Pick<Ending, "verifiedAt"> {
  return verdict === undefined || verdict === "unknown" ? {} : { verifiedAt: clock.now() };
}
