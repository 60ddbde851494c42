import type { AccountClaims } from "../../domain/claims/claims.ts";
import { reissue } from "../../domain/claims/renewal.ts";
import { modeJson } from "../../domain/ladder/mode.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import { limitsAreLike } from "../../domain/limits/limit-proof.ts";
import { RelightError } from "../../errors.ts";
import { type Context, modeFor, nameOf, type RunningJob, requireSigner } from "../context/context.ts";
import { requireMode } from "../context/mode.ts";
import { waitUntil } from "../context/wait-until.ts";
import { type JobDependencies, runJob } from "../job/job.ts";
import { lookOnce } from "../observe/look.ts";
import { endingOf, verify } from "../observe/verify.ts";
import { describePush } from "../push/describe-push.ts";
import { push } from "../push/push.ts";
import type { Remediation } from "../remediate/remediation.ts";
import { enterTiers } from "../remedies/actions.ts";
import { assertAllowed, harmAllowed, type LimitOrder, type LimitPlan, planFrom, planLimits } from "./plan-limits.ts";

/**
 * Changes only the limits in the claims in force, pushes them, proves them on every server, and waits until JetStream runs
 * with them.
 * @throws RelightError `limits.refused` (nothing was pushed), and the errors of {@link push}.
 */
export async function changeLimits(deps: JobDependencies, order: LimitOrder): Promise<Remediation> {
  const { account, action } = order;
  const outer = await deps.context();
  requireMode(outer.mode, "renew", "changing limits");
  assertAllowed(order, await planLimits(outer, order));
  const reason = `relight jetstream ${action}`;
  return runJob(deps, { account, action: "push", trigger: "manual", reason }, async (context, job) => {
    const plan = await planFrom(context, order, await verify(context, job));
    assertAllowed(order, plan);
    const pushed = plan.changes.length === 0 ? undefined : await pushLimits(context, job, order, plan);
    // If something else prevents the move, the finding `limit.outside_tiers` remains, and heal continues.
    if (pushed !== undefined && plan.movesStreams) await enterTiers(context, job, await lookOnce(context, account));
    const last = await verify(context, job);
    const { verdict } = last;
    const why = order.restartFollows
      ? RESTART_NOW
      : (verdict.findings[0]?.message ?? "everything that was checked works");
    const done = {
      account,
      name: nameOf(context, account, last.claims?.claims),
      outcome: "pushed",
      why,
      rungs: [],
      verdict,
      mode: modeJson(modeFor(context, account)),
      ...(pushed ? { pushed } : {}),
    } as const;
    return { end: done, ending: endingOf(context, last) };
  });
}

async function pushLimits(context: Context, job: RunningJob, order: LimitOrder, plan: LimitPlan) {
  const signer = await requireSigner(context);
  const terms = { issuer: signer.publicKey, id: context.newId(), now: context.clock.now() };
  const token = await signer.sign(reissue(plan.changed, { ...terms, supersedes: plan.current }));
  const purpose = order.action === "enable" ? "JetStream enabled" : "JetStream limits";
  const proved = await push(context, job, {
    token,
    current: plan.current,
    allowance: "jetstream-limits",
    purpose,
    use: plan.use,
    allowed: harmAllowed(order, plan.movesStreams),
  });
  await waitUntilInForce(context, job, order, plan.changed.claims);
  return describePush(proved);
}

const RESTART_NOW =
  "restart the servers now, one at a time: until then, they refuse messages to existing streams (10120)";

/**
 * Waits until JetStream has the new limits, which the claims in force do not prove: enabling JetStream can take a second or
 * more, and a standalone server may keep the old limits.
 */
async function waitUntilInForce(
  context: Context,
  { account }: RunningJob,
  { request }: LimitOrder,
  wanted: AccountClaims,
): Promise<void> {
  // If JetStream is removed from the system account, it is gone only after the next start.
  if (!enablesJetStream(wanted)) return;
  let lagging = "";
  const isInForce = async (): Promise<boolean> => {
    const { running, accountView } = (await lookOnce(context, account)).observation;
    const without = running.ok ? running.value.filter((entry) => entry.loaded && !entry.jetstream) : [];
    if (!running.ok) lagging = running.message;
    else if (without.length > 0) lagging = `${without.map(({ server }) => server).join(", ")} did not enable JetStream`;
    else lagging = request.toTiers === undefined ? limitsAreLike(accountView, wanted, request.tier) : "";
    return lagging === "";
  };
  const { limitsInForce } = context.timing;
  if (await waitUntil(context.clock, isInForce, limitsInForce)) return;
  const message = `the claims are in force, but JetStream did not apply them within ${limitsInForce.timeout / 1000} s: ${lagging}`;
  throw new RelightError("push.not_proved", message, { details: { lagging } });
}
