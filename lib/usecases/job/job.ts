import { type FailureClass, STOPS_RENEWAL } from "../../domain/incidents/incident.ts";
import { type Ending, endingData, type LastJob } from "../../domain/journal/last-job.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import { asRelightError, type RelightError } from "../../errors.ts";
import type { Job } from "../../ports/jobs.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";
import { rememberingJournal } from "../journal/remembering-journal.ts";
import { escalate } from "../paging/escalate.ts";
import { isNearEnd } from "../paging/near-end.ts";
import { type Context, type RunningJob, record } from "./context.ts";
import { withLease } from "./lease.ts";

/** A job with an id of its own: for a trigger that nobody repeats, such as a person at the console. */
export function jobFor({ newId }: Pick<Context, "newId">, job: Omit<Job, "id">): Job {
  const id = newId();
  return { correlation: id, ...job, id };
}

/** What a use case gives back of the job that it ran: how the account stands goes into the journal with it. */
export interface JobResult {
  readonly outcome: string;
  readonly ending: Omit<Ending, "verifiedAt">;
}

/**
 * Runs the work on one account under its lease, between `job.started` and `job.finished` in the journal. The context
 * that it works with remembers what it read of the account: while the lease is held, nobody else writes what it reads.
 * A job that ends in an error that trying again can mend stays unfinished on purpose: the next one resumes.
 * @throws RelightError `account.busy`, and whatever `work` throws (after escalating what a person must mend).
 */
export async function runJob<T extends JobResult>(
  outer: Context,
  { account, action, trigger, reason, correlation, undelete }: Job,
  work: (job: RunningJob, context: Context) => Promise<T>,
): Promise<Omit<T, "ending">> {
  const id = outer.newId();
  return withLease(outer, `account/${account}`, id, async (lost) => {
    const context = { ...outer, journal: rememberingJournal(outer.journal, account, lost) };
    let job: RunningJob = { id, account, lost, ...(undelete && trigger === "manual" ? { undelete } : {}) };
    const tied = context.correlation ?? correlation;
    const tie = defined({ correlation: tied });
    let so: Pick<Ending, "verifiedAt"> = {};
    try {
      const before = (await context.journal.latest([account])).get(account);
      so = verifiedSo(before?.verifiedAt);
      const resumes = before?.state === "running" ? { resumes: before.job } : {};
      job = { ...job, ...resumes };
      await record(context, job, "job.started", { action, trigger, reason, ...tie, ...so, ...resumes });
      const { ending, ...result } = await work(job, context);
      const { outcome } = result;
      const known = endingData({ ...ending, ...so, ...verifiedNow(context, ending) });
      await record(context, job, "job.finished", { outcome, ...tie, ...known });
      return result;
    } catch (thrown) {
      await failed(context, job, thrown, { ...tie, ...endingData(so) }, trigger);
      throw thrown;
    }
  });
}

const verifiedSo = (verifiedAt: LastJob["verifiedAt"]): Pick<Ending, "verifiedAt"> => defined({ verifiedAt });

function verifiedNow({ clock }: Context, { verdict }: Ending): { readonly verifiedAt?: EpochMillis } {
  return verdict === undefined || verdict === "unknown" ? {} : { verifiedAt: clock.now() };
}

/** The next try mends these, or the dead letters' alarm calls; a journal that fails would call for every account. */
const UNCALLED: readonly string[] = ["interrupted", "nats.connection_lost", "journal.unavailable"];

async function failed(
  context: Context,
  job: RunningJob,
  thrown: unknown,
  known: JsonObject,
  trigger: Job["trigger"],
): Promise<void> {
  const error = asRelightError(thrown);
  if (!error.retryable)
    await record(context, job, "job.finished", { outcome: "failed", error: error.toJSON(), ...known });
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
