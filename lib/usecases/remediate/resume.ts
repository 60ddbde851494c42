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

/** More entries than this are not looked through; a job that heals writes about 13. */
const LATEST_ENTRIES = 200;

/** What jobs that never ended left to this one. */
export interface CrashedWork {
  /** What was finished for them. */
  readonly finished: readonly RungReport[];
  readonly work: Unfinished;
  /** Their last push that is in force. */
  readonly push?: BegunPush & { readonly servers: readonly string[] };
}

const NOTHING: Unfinished = { rungs: [], pushes: [], wasUnwell: false };

/** Finishes what must not stay as a dead job left it, and finds out what else such jobs did. */
export async function resume(context: Context, job: RunningJob): Promise<CrashedWork> {
  const work = await unfinishedBefore(context, job);
  const finished = await finish(context, job);
  await noteLossesOf(context, job, work);
  const push = await pushInForce(context, job, work);
  return { finished, work, ...defined({ push }) };
}

/** What a rung lost whose job did not live to see it. */
async function noteLossesOf(context: Context, job: RunningJob, { rungs }: Unfinished): Promise<void> {
  const begun = rungs.find(({ result }) => result === undefined);
  if (begun === undefined || begun.assets.length === 0) return;
  await noteLosses(context, job, { streams: begun.assets, memorySeen: [] }, []);
}

/** One read without a kind, which is one query of a bounded size in DynamoDB, and only after a job that did not end. */
async function unfinishedBefore(
  { journal }: Context,
  { id, account, resumes }: RunningJob,
): Promise<Unfinished> {
  if (resumes === undefined) return NOTHING;
  return unfinishedWork(await journal.read({ account, limit: LATEST_ENTRIES }), id);
}

async function finish(context: Context, job: RunningJob): Promise<readonly RungReport[]> {
  if (!allows(context.mode.mode, "heal")) return leave(context, job);
  const reports: RungReport[] = [];
  const finished = { target: job.account, result: "helped" } as const;
  const failed = { target: job.account, result: "failed" } as const;
  await orTell(
    async () => {
      if (!(await finishToggle(context, job))) return;
      const why = "a job that died midway had taken JetStream from the account";
      reports.push({ ...finished, rung: "finish-toggle", why });
    },
    (why) => reports.push({ ...failed, rung: "finish-toggle", why }),
  );
  await orTell(
    async () => {
      const changed = await finishReconfigurations(context, job);
      if (changed.length === 0) return;
      const why = `a job that died midway had changed the configuration of ${changed.join(", ")}`;
      reports.push({ ...finished, rung: "finish-changes", why });
    },
    (why) => reports.push({ ...failed, rung: "finish-changes", why }),
  );
  return reports;
}

/** What can't be finished is a finding, and must not keep this job from looking and calling a person. */
async function orTell(work: () => Promise<void>, tell: (why: string) => void): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const error = asRelightError(thrown);
    const goesOn = !error.retryable || error.code.startsWith("assets.") || error.code === "push.not_proved";
    if (!goesOn || error.code === "internal" || error.code === "interrupted") throw thrown;
    tell(error.message);
  }
}

/** What was lent is given back by whoever may heal: the verdict tells of it, and a person is called. */
async function leave(context: Context, job: RunningJob): Promise<readonly RungReport[]> {
  const remembered = await memoryOf(context.journal, job.account);
  const isProved = provedBy(context);
  const left = { target: job.account, result: "refused" } as const;
  const mode = `${describeMode(context.mode)}; \`relight heal\` by one that may heal finishes it`;
  const changed = openReconfigurations(remembered, isProved).map(({ stream }) => stream);
  const toggle = {
    ...left,
    rung: "finish-toggle",
    why: `JetStream was taken from the account: ${mode}`,
  } as const;
  const why = `the configuration of ${changed.join(", ")} was changed: ${mode}`;
  return [
    ...(openToggle(remembered, isProved) === undefined ? [] : [toggle]),
    ...(changed.length === 0 ? [] : [{ ...left, rung: "finish-changes", why } as const]),
  ];
}

/** The proof that the dead job did not live to write is written now; a push that never arrived leaves nothing. */
async function pushInForce(
  context: Context,
  job: RunningJob,
  { pushes }: Unfinished,
): Promise<CrashedWork["push"]> {
  const last = pushes.at(-1);
  if (last !== undefined && last.servers === undefined) {
    const { jti } = last.jwt;
    const { proved: servers, lagging } = await whereInForce(
      context,
      job.account,
      ({ claims }) => claims.jti === jti,
    );
    if (lagging.length === 0) {
      await record(context, job, "push.proved", { jti, servers, begunBy: last.job });
      return { ...last, servers };
    }
  }
  const proved = pushes.findLast(({ servers }) => servers !== undefined);
  return proved?.servers === undefined ? undefined : { ...proved, servers: proved.servers };
}

/**
 * The rungs of dead jobs as this job's report has them. What they left open is closed in the journal by what is
 * seen now, so that every rung that was begun has an end.
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
const BEGUN_BEFORE = "begun by a job that died";

function reportOf({ account }: RunningJob, begun: BegunRung, result: RungReport["result"]): RungReport {
  return {
    rung: begun.rung as RungReport["rung"],
    target: account,
    result: (begun.result as RungReport["result"] | undefined) ?? result,
    why: begunBefore(begun.why),
    begunBy: begun.job,
  };
}

/** A renewal is a step of its job's report, too, though no rung of the journal's. */
export function renewalOf({ account }: RunningJob, { work, push }: CrashedWork): readonly RungReport[] {
  if (push?.purpose !== RENEWAL || work.rungs.some(({ rung }) => rung === "renew")) return [];
  const why = begunBefore("it was renewed");
  return [{ rung: "renew", target: account, result: "helped", why, begunBy: push.job }];
}
