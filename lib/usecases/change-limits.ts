import pWaitFor, { TimeoutError } from "p-wait-for";
import type { AccountId } from "../domain/account.ts";
import { type Objection, reservationObjections } from "../domain/capacity.ts";
import {
  type AccountClaims,
  type ClaimChange,
  type ClaimsDocument,
  diffClaims,
  editClaims,
} from "../domain/claims.ts";
import { RENEWAL_CLAIMS } from "../domain/gate.ts";
import { enablesJetStream } from "../domain/jetstream-limits.ts";
import { type LimitRequest, limitEdits, limitsAt } from "../domain/limit-changes.ts";
import { limitsAreLike } from "../domain/limit-proof.ts";
import { belowUse } from "../domain/limit-usage.ts";
import { modeJson } from "../domain/mode.ts";
import { reissue } from "../domain/renewal.ts";
import { toMillis } from "../domain/time.ts";
import { RelightError } from "../errors.ts";
import type { Job, ListedJwt } from "../ports.ts";
import { type Context, modeFor, type RunningJob, requireSigner } from "./context.ts";
import { refuseDeleted } from "./deletion.ts";
import { describePush } from "./describe-push.ts";
import { follow } from "./follow.ts";
import { jobFor, runJob } from "./job.ts";
import { glance, type Look } from "./look.ts";
import { requireMode } from "./mode.ts";
import { push } from "./push.ts";
import type { Remediation } from "./remediate.ts";
import { endingOf, verify } from "./verify.ts";

/** How long servers may take to give an account JetStream with its limits; milliseconds. */
const IN_FORCE = { timeout: 30_000, interval: 250 };

export interface LimitOrder {
  readonly account: AccountId;
  /** `enable` is for an account without JetStream, `limits` for one that has it. */
  readonly action: "enable" | "limits";
  readonly request: LimitRequest;
  /** Goes on despite the objections that can be overridden. */
  readonly force: boolean;
}

/** What would be done, and what stands against it; nothing was touched. */
export interface LimitPlan {
  readonly changes: readonly ClaimChange[];
  /** Refused whatever is forced. */
  readonly refusals: readonly string[];
  /** Refused unless forced. */
  readonly objections: readonly string[];
  readonly current: ClaimsDocument;
  readonly changed: ClaimsDocument;
}

/**
 * The change of an account's JetStream limits, before it is made: as a diff, and with every reason why not.
 * @throws RelightError `account.no_claims`, `account.deleted`, `usage`.
 */
export async function planLimits(context: Context, order: LimitOrder): Promise<LimitPlan> {
  return planFrom(context, order, await glance(context, order.account));
}

/**
 * Changes the limits in the claims in force and nothing else; pushes them, proves them on every server, and
 * waits until JetStream runs with them.
 * @throws RelightError `limits.refused` (nothing was pushed), and whatever {@link push} throws.
 */
export async function changeLimits(context: Context, order: LimitOrder): Promise<Remediation> {
  requireMode(context.mode, "renew", "the change of limits");
  assertAllowed(order, await planLimits(context, order));
  const { account, action } = order;
  const reason = `relight jetstream ${action}`;
  const job = jobFor(context, { account, action: "push", trigger: "manual", reason });
  return follow(context, job, (followed) => runLimitJob(followed, job, order));
}

function runLimitJob(outer: Context, job: Job, order: LimitOrder) {
  const { account } = order;
  return runJob(outer, job, async (running, context) => {
    const plan = await planFrom(context, order, await verify(context, running));
    assertAllowed(order, plan);
    const pushed = plan.changes.length === 0 ? undefined : await pushLimits(context, running, order, plan);
    const last = await verify(context, running);
    const { verdict } = last;
    const why = verdict.findings[0]?.message ?? "everything that was looked at works";
    const done = {
      account,
      outcome: "pushed",
      why,
      rungs: [],
      verdict,
      mode: modeJson(modeFor(context, account)),
      ...(pushed ? { pushed } : {}),
    } as const;
    return { ...done, ending: await endingOf(context, last) };
  });
}

async function pushLimits(context: Context, job: RunningJob, order: LimitOrder, plan: LimitPlan) {
  const signer = await requireSigner(context);
  const terms = { issuer: signer.publicKey, id: context.newId(), now: context.clock.now() };
  const token = await signer.sign(reissue(plan.changed, { ...terms, supersedes: plan.current }));
  const purpose = order.action === "enable" ? "JetStream enabled" : "JetStream limits";
  const proved = await push(context, job, {
    ...{ token, current: plan.current, leave: "jetstream-limits", purpose },
  });
  await waitUntilInForce(context, job, order, plan.changed.claims);
  return describePush(proved);
}

async function planFrom(context: Context, order: LimitOrder, seen: Look): Promise<LimitPlan> {
  const { account, action, request } = order;
  const current = seen.claims;
  refuseDeleted(account, seen.presence);
  if (current === undefined)
    throw new RelightError("account.no_claims", `no server and no resolver knows account ${account}`);
  const edits = limitEdits(current.claims, request);
  if (!edits.ok) return { changes: [], refusals: [edits.problem], objections: [], current, changed: current };
  const changed = editClaims(current, edits.edits);
  const changes = diffClaims(current, changed).filter(({ path }) => !RENEWAL_CLAIMS.includes(path));
  const reservation = await reservationOf(context, account, seen, current, changed);
  const inUse = belowUse(
    limitsAt(current.claims, request.tier),
    limitsAt(changed.claims, request.tier),
    seen.observation,
    request.tier,
  );
  return {
    ...{ changes, current, changed },
    refusals: [...switchRefusals(action, current.claims, changed.claims), ...messages(reservation, false)],
    objections: [...messages(reservation, true), ...inUse],
  };
}

function messages(objections: readonly Objection[], forced: boolean): readonly string[] {
  return objections.filter(({ canBeForced }) => canBeForced === forced).map(({ message }) => message);
}

function switchRefusals(
  action: LimitOrder["action"],
  before: AccountClaims,
  after: AccountClaims,
): readonly string[] {
  const had = enablesJetStream(before);
  if (action === "enable" && had)
    return ["the account has JetStream already; change its limits with `relight jetstream limits`"];
  if (action === "limits" && !had)
    return ["the account has no JetStream; give it some with `relight jetstream enable`"];
  if (enablesJetStream(after)) return [];
  if (!had) return ["without memory or storage the account would have no JetStream; say how much"];
  return ["it would take JetStream from the account, which in a cluster destroys streams"];
}

async function reservationOf(
  context: Context,
  account: AccountId,
  { observation }: Look,
  before: ClaimsDocument,
  after: ClaimsDocument,
): Promise<readonly Objection[]> {
  const capacities = await context.probes.capacity();
  if (!capacities.ok)
    return [{ message: `what can be reserved is unknown: ${capacities.message}`, canBeForced: true }];
  return reservationObjections({
    ...{ servers: observation.servers, capacities: capacities.value },
    ...{ before: before.claims, after: after.claims },
    others: await otherAccounts(context, account),
  });
}

/** What is promised to accounts that are loaded nowhere now counts too: they are loaded sooner or later. */
async function otherAccounts(context: Context, account: AccountId): Promise<readonly AccountClaims[]> {
  const others: AccountClaims[] = [];
  const isOther = (entry: ListedJwt): entry is Extract<ListedJwt, { ok: true }> =>
    entry.ok && entry.jwt.document.claims.sub !== account;
  for await (const entry of context.resolver.list()) {
    if (!isOther(entry)) continue;
    const { claims } = entry.jwt.document;
    if (claims.exp === undefined || toMillis(claims.exp) > context.clock.now()) others.push(claims);
  }
  return others;
}

function assertAllowed({ force, account }: LimitOrder, { refusals, objections }: LimitPlan): void {
  const reasons = [...refusals, ...(force ? [] : objections)];
  if (reasons.length === 0) return;
  throw new RelightError("limits.refused", `the limits of ${account} stay: ${reasons.join("; ")}`, {
    details: { refusals, objections },
  });
}

/**
 * A new account's JetStream can take a second or more to be there on every server, and one that stands alone
 * may keep the limits that it had: the claims in force do not prove either.
 */
async function waitUntilInForce(
  context: Context,
  { account }: RunningJob,
  { request }: LimitOrder,
  wanted: AccountClaims,
): Promise<void> {
  let lagging = "";
  const isInForce = async (): Promise<boolean> => {
    const { running, accountView } = (await glance(context, account)).observation;
    const without = running.ok ? running.value.filter((entry) => entry.loaded && !entry.jetstream) : [];
    if (!running.ok) lagging = running.message;
    else if (without.length > 0)
      lagging = `${without.map(({ server }) => server).join(", ")} did not enable JetStream`;
    else lagging = limitsAreLike(accountView, wanted, request.tier);
    return lagging === "";
  };
  await pWaitFor(isInForce, IN_FORCE).catch((cause: unknown) => {
    if (!(cause instanceof TimeoutError)) throw cause;
    const message = `the claims are in force, but after ${IN_FORCE.timeout / 1000} s JetStream does not run with them: ${lagging}`;
    throw new RelightError("push.not_proved", message, { details: { lagging } });
  });
}
