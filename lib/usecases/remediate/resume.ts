import { openReconfigurations, openToggle } from "../../domain/journal/open-remedies.ts";
import {
  type BegunPush,
  type BegunRung,
  RENEWAL,
  type Unfinished,
  unfinishedWork,
} from "../../domain/journal/unfinished.ts";
import { allows, describeMode } from "../../domain/ladder/mode.ts";
import type { RungReport } from "../../domain/ladder/rung.ts";
import { defined } from "../../domain/time/defined.ts";
import { asRelightError } from "../../errors.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { provedBy } from "../journal/proof.ts";
import { memoryOf } from "../journal/remembered.ts";
import type { Look } from "../observe/look.ts";
import { noteLosses } from "../observe/losses.ts";
import { whereInForce } from "../push/push.ts";
import { finishReconfigurations } from "../remedies/reconfigure.ts";
import { finishToggle } from "../remedies/toggle.ts";

/** The maximum number of entries to search; a healing job writes about 13. */
const LATEST_ENTRIES = 200;

/** What crashed jobs left to this one. */
export interface CrashedWork {
  /** What this job finished for them. */
  readonly finished: readonly RungReport[];
  readonly work: Unfinished;
  /** Their last push that is in force. */
  readonly push?: BegunPush & { readonly servers: readonly string[] };
}

const NOTHING: Unfinished = { rungs: [], pushes: [], wasUnhealthy: false };

/** Finishes what crashed jobs left open, and determines what else they did. */
export async function resume(context: Context, job: RunningJob): Promise<CrashedWork> {
  const work = await unfinishedBefore(context, job);
  const finished = await finish(context, job);
  await noteLossesOf(context, job, work);
  const push = await pushInForce(context, job, work);
  return { finished, work, ...defined({ push }) };
}

/** Records the losses of a rung whose job crashed. */
async function noteLossesOf(context: Context, job: RunningJob, { rungs }: Unfinished): Promise<void> {
  const begun = rungs.find(({ result }) => result === undefined);
  if (begun === undefined || begun.assets.length === 0) return;
  await noteLosses(context, job, { streams: begun.assets, memorySeen: [] }, []);
}

/** One read of all kinds, which is one bounded query in DynamoDB, and only after a job that did not end. */
async function unfinishedBefore({ journal }: Context, { id, account, resumes }: RunningJob): Promise<Unfinished> {
  if (resumes === undefined) return NOTHING;
  return unfinishedWork(await journal.read({ account, limit: LATEST_ENTRIES }), id);
}

async function finish(context: Context, job: RunningJob): Promise<readonly RungReport[]> {
  if (!allows(context.mode.mode, "heal")) return leave(context, job);
  const reports: RungReport[] = [];
  const finished = { target: job.account, result: "helped" } as const;
  const failed = { target: job.account, result: "failed" } as const;
  await orReport(
    async () => {
      if (!(await finishToggle(context, job))) return;
      const why = "a job that crashed had turned the account's JetStream off";
      reports.push({ ...finished, rung: "finish-toggle", why });
    },
    (why) => reports.push({ ...failed, rung: "finish-toggle", why }),
  );
  await orReport(
    async () => {
      const changed = await finishReconfigurations(context, job);
      if (changed.length === 0) return;
      const why = `a job that crashed had changed the configuration of ${changed.join(", ")}`;
      reports.push({ ...finished, rung: "finish-changes", why });
    },
    (why) => reports.push({ ...failed, rung: "finish-changes", why }),
  );
  return reports;
}

/** A remedy that can't be finished is a finding, and must not keep this job from checking and paging a person. */
async function orReport(work: () => Promise<void>, report: (why: string) => void): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const error = asRelightError(thrown);
    const canContinue = !error.retryable || error.code.startsWith("assets.") || error.code === "push.not_proved";
    if (!canContinue || error.code === "internal" || error.code === "interrupted") throw thrown;
    report(error.message);
  }
}

/** Without the mode `heal`, temporary changes are not undone: the verdict reports them, and a person is paged. */
async function leave(context: Context, job: RunningJob): Promise<readonly RungReport[]> {
  const remembered = await memoryOf(context.journal, job.account);
  const isProved = provedBy(context);
  const left = { target: job.account, result: "refused" } as const;
  const mode = `${describeMode(context.mode)}; run \`relight heal\` in a mode that may heal to finish it`;
  const changed = openReconfigurations(remembered, isProved).map(({ stream }) => stream);
  const toggle = {
    ...left,
    rung: "finish-toggle",
    why: `JetStream is still off for the account: ${mode}`,
  } as const;
  const why = `the configuration of ${changed.join(", ")} is still changed: ${mode}`;
  return [
    ...(openToggle(remembered, isProved) === undefined ? [] : [toggle]),
    ...(changed.length === 0 ? [] : [{ ...left, rung: "finish-changes", why } as const]),
  ];
}

/** Records the proof of a crashed job's push that is in force. */
async function pushInForce(context: Context, job: RunningJob, { pushes }: Unfinished): Promise<CrashedWork["push"]> {
  const last = pushes.at(-1);
  if (last !== undefined && last.servers === undefined) {
    const { jti, iat, exp } = last.jwt;
    const { proved: servers, lagging } = await whereInForce(context, job.account, ({ claims }) => claims.jti === jti);
    if (lagging.length === 0) {
      const { purpose, changes } = last;
      const pushed = { jti, iat: iat ?? null, exp: exp ?? null, purpose, changes };
      await record(context, job, "push.proved", { ...pushed, servers, begunBy: last.job });
      return { ...last, servers };
    }
  }
  const proved = pushes.findLast(({ servers }) => servers !== undefined);
  return proved?.servers === undefined ? undefined : { ...proved, servers: proved.servers };
}

/**
 * The rungs of crashed jobs for this job's report. Records a result for those without one, so every rung in the journal
 * has an end.
 */
export async function rungsOf(
  context: Context,
  job: RunningJob,
  { work }: CrashedWork,
  { verdict }: Look,
): Promise<readonly RungReport[]> {
  const reports: RungReport[] = [];
  for (const begun of work.rungs) {
    const report = reportOf(job, begun, verdict.health === "healthy" ? "helped" : "failed");
    if (begun.result === undefined) await record(context, job, "rung.finished", { ...report });
    reports.push(report);
  }
  return reports;
}

const begunBefore = (why: string): string => (why.startsWith(BEGUN_BEFORE) ? why : `${BEGUN_BEFORE}: ${why}`);
const BEGUN_BEFORE = "begun by a job that crashed";

function reportOf({ account }: RunningJob, begun: BegunRung, result: RungReport["result"]): RungReport {
  return {
    rung: begun.rung as RungReport["rung"],
    target: account,
    result: (begun.result as RungReport["result"] | undefined) ?? result,
    why: begunBefore(begun.why),
    begunBy: begun.job,
  };
}

/** A renewal is a step of the report, although it is not a rung in the journal. */
export function renewalOf({ account }: RunningJob, { work, push }: CrashedWork): readonly RungReport[] {
  if (push?.purpose !== RENEWAL || work.rungs.some(({ rung }) => rung === "renew")) return [];
  const why = begunBefore("it was renewed");
  return [{ rung: "renew", target: account, result: "helped", why, begunBy: push.job }];
}
