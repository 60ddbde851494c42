import { type Attempt, attemptsOf, forbiddenStep, nextStep, type RefusedRung } from "../../domain/ladder/ladder.ts";
import { type Loss, sketchOf } from "../../domain/ladder/loss.ts";
import { whyLeft } from "../../domain/ladder/mode.ts";
import type { Rung, RungId, RungReport } from "../../domain/ladder/rung.ts";
import type { Json } from "../../domain/time/json.ts";
import { isRevived } from "../../domain/verdict/verdict.ts";
import { asRelightError, type RelightError } from "../../errors.ts";
import { assertNotInterrupted, type Context, type RunningJob, record } from "../context/context.ts";
import { traced } from "../context/trace.ts";
import type { Turn } from "../context/turns.ts";
import { waitUntil } from "../context/wait-until.ts";
import { type Look, looking } from "../observe/look.ts";
import { type Baseline, beginBaseline, noteLosses } from "../observe/losses.ts";
import { verify } from "../observe/verify.ts";
import { ACTIONS } from "../remedies/actions.ts";
import { readyStep, situationOf } from "../remedies/readiness.ts";
import { renewalDecision } from "../renewal/renewal-decision.ts";

export interface HealReport {
  /** `looked`: the mode does not allow the next step. */
  readonly outcome: "healthy" | "healed" | "refused" | "stuck" | "looked";
  /** Why it ended so; for people. */
  readonly why: string;
  readonly rungs: readonly RungReport[];
  readonly last: Look;
  /** Losses; none should occur except those that the policy allows. */
  readonly losses: readonly Loss[];
  /** What would have been done, if the outcome is `looked`. */
  readonly would?: readonly string[];
}

/**
 * Applies the ladder: checks, applies the cheapest safe rung, and checks again, until the account is healthy or no rung is
 * left. `done` are steps already taken (a renewal, a finished toggle, steps of a crashed job).
 */
export async function heal(
  context: Context,
  job: RunningJob,
  first: Look,
  done: readonly RungReport[],
): Promise<HealReport> {
  let begun: Awaited<ReturnType<typeof beginBaseline>> | undefined;
  const baseline = async (): Promise<Baseline> => {
    begun ??= await beginBaseline(context, job.account, first);
    return begun;
  };
  let turn: Turn | undefined;
  const comesTooLate = async (): Promise<boolean> => {
    const isFirst = turn === undefined;
    turn ??= await context.remedyTurns?.take();
    return isFirst && turn?.waited === true;
  };
  try {
    return await applyRungs(context, job, { first, done, baseline, comesTooLate });
  } finally {
    turn?.end();
    await begun?.deletions[Symbol.asyncDispose]();
  }
}

interface Start {
  readonly first: Look;
  readonly done: readonly RungReport[];
  /** The baseline before the first rung. */
  readonly baseline: () => Promise<Baseline>;
  /** Waits for the account's turn at the first rung. True if that took time, so that the account must be checked again. */
  readonly comesTooLate: () => Promise<boolean>;
}

async function applyRungs(context: Context, job: RunningJob, start: Start): Promise<HealReport> {
  const { first, done, baseline, comesTooLate } = start;
  const rungs: RungReport[] = [...done];
  const tried = new Set<Attempt>();
  let hasRenewed = done.some(({ rung, begunBy }) => rung === "renew" && begunBy === undefined);
  let last = first;
  let losses: readonly Loss[] = [];
  const report = (outcome: HealReport["outcome"], why: string): HealReport => ({
    outcome,
    why,
    rungs,
    last,
    losses,
  });

  for (;;) {
    assertNotInterrupted(context, job);
    const situation = situationOf(context, job.account, last);
    const step = await readyStep(context, job.account, situation, tried);
    if (step.kind === "done") return report(rungs.length > 0 ? "healed" : "healthy", summaryOf(rungs));
    const forbidden = forbiddenStep(context.mode, step);
    if (forbidden !== undefined) return { ...report("looked", whyLeft(context.mode, [forbidden])), would: [forbidden] };
    const objection = step.kind === "renew" && !hasRenewed ? await renewalObjection(context, job, last) : undefined;
    if (objection !== undefined) return report("stuck", objection);
    if (step.kind === "stop" || (step.kind === "renew" && hasRenewed)) {
      const refused = step.kind === "stop" ? step.refused : [];
      rungs.push(...refused.map((refusal) => refusedRung(job, refusal)));
      return report(refused.length > 0 && rungs.length === refused.length ? "refused" : "stuck", step.why);
    }
    if (await comesTooLate()) {
      last = await verify(context, job);
      continue;
    }
    const rung = step.kind === "renew" ? "renew" : step.rung.id;
    if (step.kind === "rung") for (const attempt of attemptsOf(step.rung, situation)) tried.add(attempt);
    else hasRenewed = true;
    const before = last;
    const there = step.kind === "rung" ? await baseline() : undefined;
    const failure = await applyRung(context, job, rung, step, before);
    // A restart that the guard refused has no effect to wait for.
    if (step.kind === "rung" && failure?.code !== "restart.refused") await settle(context, job, step.rung, tried);
    if (there !== undefined) losses = await noteLosses(context, job, there, losses);
    last = await verify(context, job);
    const why = failure?.message ?? step.why;
    rungs.push(await finished(context, job, { rung, why, ...resultOf(failure, before, last) }));
  }
}

/** Why an expired account with `policy.manual` is not renewed. */
export const BY_HAND = "the policy says that it is renewed by hand";

/** Why the ladder must not renew the expired account; undefined if it may. */
async function renewalObjection(context: Context, job: RunningJob, seen: Look): Promise<string | undefined> {
  const { decision, why } = await renewalDecision(context, job, seen);
  switch (decision) {
    case "renew":
      return undefined;
    case "manual":
      return BY_HAND;
    case "disagree":
      return `its claims are not the same everywhere: ${why}`;
    case "wait":
    case "nothing known":
    case "withdrawn":
      return `it is not renewed: ${why}`;
  }
}

/** Applies one rung. Returns the error that it failed with, or undefined. */
async function applyRung(
  context: Context,
  job: RunningJob,
  rung: RungId | "renew",
  { why }: { why: string },
  seen: Look,
): Promise<RelightError | undefined> {
  // If this job crashes, the next one compares with this, so the rung's losses are not overlooked.
  const { streams } = seen.observation;
  const assets = (streams.ok ? sketchOf(streams.value) : []) as unknown as Json;
  await record(context, job, "rung.started", { rung, target: job.account, why, assets });
  context.log.info("applying a rung", { account: job.account, rung, why });
  try {
    await traced(context, `rung ${rung}`, () => ACTIONS[rung](context, job, seen), { rung });
    return undefined;
  } catch (thrown) {
    const error = asRelightError(thrown);
    // After a lost connection it is unknown whether the rung worked: the job stops, and the next one resumes.
    if (error.retryable || error.code === "internal") throw thrown;
    return error;
  }
}

/**
 * Waits for a rung's effect: until the account seems healthy, or until only faults are left that another rung treats. The
 * check that follows also listens to mirrors and sources, which takes three seconds each time.
 */
async function settle(context: Context, job: RunningJob, rung: Rung, tried: ReadonlySet<Attempt>): Promise<void> {
  const { settles, settlesAtLeast, settlesLookedAt: interval } = context.timing;
  const again = looking(context, job.account, false);
  const begun = context.clock.monotonic();
  let looks = 0;
  const hasSettled = async (): Promise<boolean> => {
    const seen = await again();
    looks++;
    if (isRevived(seen.verdict)) return true;
    // One check does not prove a fault.
    if (looks === 1 || context.clock.monotonic() - begun < (settlesAtLeast[rung.id] ?? 0)) return false;
    const situation = situationOf(context, job.account, seen);
    return rung.helps(situation) === undefined && nextStep(situation, tried).kind === "rung";
  };
  await waitUntil(context.clock, hasSettled, { interval, timeout: settles[rung.id] });
}

function resultOf(failure: RelightError | undefined, before: Look, after: Look): { result: RungReport["result"] } {
  if (failure !== undefined) return { result: "failed" };
  if (isRevived(after.verdict)) return { result: "helped" };
  const deadBefore = before.verdict.findings.length;
  return { result: after.verdict.findings.length < deadBefore ? "helped" : "no_effect" };
}

async function finished(
  context: Context,
  job: RunningJob,
  { rung, why, result }: Omit<RungReport, "target">,
): Promise<RungReport> {
  const report = { rung, target: job.account, result, why };
  context.log.info("a rung ended", { rung, result, why });
  await record(context, job, "rung.finished", report);
  return report;
}

function refusedRung({ account }: RunningJob, { rung, why }: RefusedRung): RungReport {
  return { rung, target: account, result: "refused", why };
}

/** The rungs that helped, for people. */
export function summaryOf(rungs: readonly RungReport[]): string {
  const helped = rungs.filter(({ result }) => result === "helped").map(({ rung }) => rung);
  return helped.length > 0 ? `by ${helped.join(", then ")}` : "nothing to heal";
}
