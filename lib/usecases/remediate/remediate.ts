import { DUE } from "../../domain/expiry/expiry.ts";
import { lastOutage } from "../../domain/journal/last-outage.ts";
import { outcomeOfUnfinished } from "../../domain/journal/unfinished.ts";
import { afterRenewal, sequelLines } from "../../domain/ladder/after-renewal.ts";
import { allows, modeJson } from "../../domain/ladder/mode.ts";
import type { RungReport } from "../../domain/ladder/rung.ts";
import { defined } from "../../domain/time/defined.ts";
import { isoTime, toMillis } from "../../domain/time/time.ts";
import { hasFinding } from "../../domain/verdict/verdict.ts";
import { asRelightError } from "../../errors.ts";
import type { NewJob } from "../../ports/jobs.ts";
import { type Context, modeFor, nameOf, type RunningJob } from "../context/context.ts";
import { left, tried } from "../context/mode.ts";
import { type JobDependencies, runJob } from "../job/job.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";
import type { Look } from "../observe/look.ts";
import { lookTwice } from "../observe/look-twice.ts";
import { endingOf, verify } from "../observe/verify.ts";
import { describeBegun, describePush } from "../push/describe-push.ts";
import { situationOf } from "../remedies/readiness.ts";
import { watchExpiry, watchUnseen } from "../renewal/expiry-pages.ts";
import { planned, reconcile } from "../renewal/reconcile.ts";
import { renew } from "../renewal/renew.ts";
import { renewalDecision } from "../renewal/renewal-decision.ts";
import { pushDelivered } from "./deliver.ts";
import { escalateReport } from "./escalate-report.ts";
import { heal, summaryOf } from "./heal.ts";
import { type Done, type Ended, lookOnly, type Remediation } from "./remediation.ts";
import { type CrashedWork, renewalOf, resume, rungsOf } from "./resume.ts";
import { refuseUnproved } from "./unproved.ts";

/**
 * Runs one job, whatever triggered it. A check needs no lease: while another job works on the account, it only looks and
 * leaves nothing in the journal.
 */
export async function remediate(deps: JobDependencies, order: NewJob): Promise<Remediation> {
  try {
    return await remediateAlone(deps, order);
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code !== "account.busy" || order.action !== "verify") throw thrown;
    const context = await deps.context();
    const seen = await lookTwice(context, order.account);
    const { last: _last, ...end } = await withFacts(context, lookOnly("verified", seen));
    return { ...end, unrecorded: error.message, correlation: order.correlation ?? deps.newId() };
  }
}

function remediateAlone(deps: JobDependencies, order: NewJob): Promise<Remediation> {
  return runJob(deps, order, async (context, job) => {
    const crashed = await resume(context, job);
    const calls = order.action === "remediate";
    const first = await verify(context, job).catch(async (thrown: unknown) => {
      if (calls) await watchUnseen(context, job);
      throw thrown;
    });
    const seen = (await refuseUnproved(context, job, first)) ? await verify(context, job) : first;
    try {
      const begun = await rungsOf(context, job, crashed, seen);
      const done = await act(context, job, order, seen, [...begun, ...crashed.finished]);
      const earlier = [...renewalOf(job, crashed), ...begun, ...crashed.finished];
      const whole = withCrashedWork(done, crashed, earlier);
      const { last, ...result } = await withFacts(context, whole);
      await watchExpiry(context, job, last, calls);
      return { end: result, ending: endingOf(context, last) };
    } catch (thrown) {
      // Report a coming expiry even after a failure, because a failed renewal is a likely reason for it.
      const isStopped = asRelightError(thrown).code === "interrupted";
      await watchExpiry(context, job, seen, calls && !isStopped && !(await hasPushed(context, job)));
      throw thrown;
    }
  });
}

/** Whether the job has proved other claims than those that it saw at its beginning: what they said of the expiry is over. */
async function hasPushed({ journal }: Context, { id, account }: RunningJob): Promise<boolean> {
  return (await journal.read({ account, job: id, kinds: ["push.proved"], limit: 1 })).length > 0;
}

/** Adds facts about the account to the job's end. */
async function withFacts(context: Context, done: Done): Promise<Ended & Pick<Done, "last">> {
  const { verdict, claims } = done.last;
  const { critical } = context.policyOf(verdict.account, claims?.claims);
  const exp = claims?.claims.exp;
  const verdicts = done.outcome === "healed" ? await latestVerdicts(context.journal, verdict.account) : [];
  const outage = lastOutage(verdicts);
  return {
    ...done,
    name: nameOf(context, verdict.account, (claims ?? done.last.known.renewable)?.claims),
    critical,
    mode: modeJson(modeFor(context, verdict.account)),
    ...(exp === undefined ? {} : { expiresAt: isoTime(toMillis(exp)) }),
    ...(outage === undefined ? {} : { unwellSince: isoTime(outage.began) }),
    ...(outage?.ended === undefined ? {} : { healthySince: isoTime(outage.ended) }),
  };
}

async function act(
  context: Context,
  job: RunningJob,
  order: NewJob,
  seen: Look,
  resumed: readonly RungReport[],
): Promise<Done> {
  switch (order.action) {
    case "verify":
      return lookOnly("verified", seen);
    case "renew":
      return renewNow(context, job, seen);
    case "push":
      return pushDelivered(context, job, order, seen);
    case "heal":
      return renewThenHeal(context, job, seen, { resumed, onlyExpired: true });
    case "remediate":
      return reconcileThenRenew(context, job, seen, resumed);
  }
}

/** Adds the work of crashed jobs, because this job may have found nothing left to do. */
function withCrashedWork(done: Done, crashed: CrashedWork, begun: readonly RungReport[]): Done {
  const { push: left } = crashed;
  const rungs = [...begun.filter((report) => !done.rungs.includes(report)), ...done.rungs];
  const pushed = left === undefined ? {} : { pushed: describeBegun(left) };
  const { outcome, why } = endOf(done, crashed, rungs);
  return { ...pushed, ...done, rungs, outcome, why };
}

/** Reports the crashed jobs' outcome if this job had nothing to do, because nobody else will. */
function endOf(done: Done, crashed: CrashedWork, rungs: readonly RungReport[]): Pick<Done, "outcome" | "why"> {
  const endedWell = done.verdict.health === "healthy" && GOOD_OUTCOMES.includes(done.outcome);
  const outcome = outcomeOfUnfinished(crashed.work, crashed.push);
  if (!endedWell || outcome === undefined) return done;
  const idle = done.outcome === "healthy" || done.outcome === "verified";
  if (outcome !== "healed" && !idle) return done;
  const by = rungs.length === 0 ? "by a push" : summaryOf(rungs);
  return { outcome, why: idle ? `${by}, begun by a job that crashed` : done.why };
}

const GOOD_OUTCOMES: readonly Done["outcome"][] = ["healthy", "healed", "verified", "renewed", "pushed"];

async function reconcileThenRenew(
  context: Context,
  job: RunningJob,
  seen: Look,
  resumed: readonly RungReport[],
): Promise<Done> {
  const difference = planned(context, seen);
  if (difference !== undefined && !allows(context.mode.mode, "renew")) {
    const would = `${difference.does} the difference (${difference.why})`;
    const looked = await renewThenHeal(context, job, seen, { resumed, onlyExpired: false });
    return left(context.mode, looked, would);
  }
  const { report, pushed } = await reconcile(context, job, seen);
  const now = report === undefined ? seen : await verify(context, job);
  const done = report === undefined ? resumed : [...resumed, report];
  const result = await renewThenHeal(context, job, now, { resumed: done, onlyExpired: false });
  return pushed === undefined ? result : { pushed: describePush(pushed), ...result };
}

interface RenewalOptions {
  readonly resumed: readonly RungReport[];
  /** Whether to renew only if the account has expired. */
  readonly onlyExpired: boolean;
}

async function renewThenHeal(
  context: Context,
  job: RunningJob,
  seen: Look,
  { resumed, onlyExpired }: RenewalOptions,
): Promise<Done> {
  const why = await whyRenew(context, job, seen, onlyExpired);
  if (why === undefined) return healAndPage(context, job, seen, resumed);
  if (!allows(context.mode.mode, "renew")) {
    const { would, ...looked } = await healAndPage(context, job, seen, resumed);
    // The steps after the renewal of an expired account are known only then, but some are likely.
    const isAlive = seen.claims !== undefined && !hasFinding(seen.verdict, "account.expired");
    const sequel = isAlive ? undefined : afterRenewal(situationOf(context, job.account, seen));
    const then = isAlive ? would : sequel && sequelLines(sequel);
    const others: Done = then === undefined ? looked : { ...looked, would: then };
    return left(context.mode, others, `renew (${why})`);
  }
  context.log.info("renewing", { account: job.account, why });
  const proved = await renew(context, job, seen);
  const renewal: RungReport = { rung: "renew", target: job.account, result: "helped", why };
  const result = await healAndPage(context, job, await verify(context, job), [...resumed, renewal]);
  // An account that was healthy before and after was not healed.
  const wasHealthy = seen.verdict.health === "healthy" && result.outcome === "healed";
  return { ...result, ...(wasHealthy ? { outcome: "renewed" } : {}), pushed: describePush(proved) };
}

/** Why to renew the account first; undefined if not. */
async function whyRenew(
  context: Context,
  job: RunningJob,
  seen: Look,
  onlyExpired: boolean,
): Promise<string | undefined> {
  const decided = await renewalDecision(context, job, seen);
  if (decided.decision !== "renew") return undefined;
  const { warning } = decided;
  if (onlyExpired && decided.why === DUE) return undefined;
  // Else the renewal would silently repair what somebody undid and will undo again.
  const undone = seen.verdict.findings.find(({ code }) => code === "claims.overwritten");
  const why = undone === undefined ? decided.why : `${decided.why}; ${undone.message}`;
  if (warning !== undefined) context.log.warn("renewing in a blackout", { account: job.account, warning });
  return warning === undefined ? why : `${why}; ${warning}`;
}

async function renewNow(context: Context, job: RunningJob, seen: Look): Promise<Done> {
  return tried(context.mode, "renew", lookOnly("looked", seen), async () => {
    const proved = await renew(context, job, seen);
    return lookOnly("renewed", await verify(context, job), proved);
  });
}

async function healAndPage(context: Context, job: RunningJob, seen: Look, done: readonly RungReport[]): Promise<Done> {
  const report = await heal(context, job, seen, done);
  const { outcome, why, rungs, last, losses, would } = report;
  const planning = defined({ would });
  const result = { account: job.account, why, rungs, verdict: last.verdict, last, ...planning };
  const missing = losses.length === 0 ? {} : { losses: losses.map(({ message }) => message) };
  const isLoss = losses.some(({ allowed }) => allowed !== true);
  if ((outcome === "healthy" || outcome === "healed") && !isLoss) return { ...result, ...missing, outcome };
  await escalateReport(context, job, report);
  return {
    ...result,
    ...missing,
    outcome: outcome === "refused" || outcome === "looked" ? outcome : "escalated",
  };
}
