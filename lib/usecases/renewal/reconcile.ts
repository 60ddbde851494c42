import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { type Difference, fingerprintOf, type SourceAccount } from "../../domain/claims/claims-source.ts";
import { isWithdrawn } from "../../domain/claims/presence.ts";
import { lastsAsLong, reissue, renewClaims } from "../../domain/claims/renewal.ts";
import { lastPush } from "../../domain/journal/last-push.ts";
import type { RungReport } from "../../domain/ladder/rung.ts";
import { defined } from "../../domain/time/defined.ts";
import { toSeconds } from "../../domain/time/time.ts";
import { openDifference } from "../../domain/verdict/source-findings.ts";
import { asRelightError } from "../../errors.ts";
import { type Context, type RunningJob, record, requireSigner } from "../context/context.ts";
import { memoryOf } from "../journal/remembered.ts";
import type { Look } from "../observe/look.ts";
import { escalate } from "../paging/escalate.ts";
import { type ProvedPush, push } from "../push/push.ts";

/** The result for a difference between the source of truth and the cluster; both absent if there was nothing to do. */
export interface Reconciliation {
  readonly report?: RungReport;
  readonly pushed?: ProvedPush;
}

/** What a sweep would do about a difference. */
export interface Planned {
  readonly does: "push" | "adopt";
  readonly why: string;
}

/** What {@link reconcile} would do, without doing it. */
export function planned({ source: policy, operator }: Context, seen: Look): Planned | undefined {
  const difference = seen.source && openDifference(seen.observation, operator, seen.source);
  if (isWithdrawn(seen.presence)) return undefined;
  if (difference === undefined || policy === undefined || policy.onDifference === "page") return undefined;
  const canPush = difference.kind === "missing" || difference.kind === "differs";
  if (policy.onDifference === "push" && !canPush) return undefined;
  const finding = seen.verdict.findings.find(({ code }) => code.startsWith("source."));
  return { does: policy.onDifference, why: finding?.message ?? "the source of truth and the cluster differ" };
}

type Found = Extract<SourceAccount, { state: "found" }>;

/**
 * Handles a difference by policy: pushes the source's claims, adopts the claims in force, or does nothing, because the
 * verdict pages. A refusal by the gate pages a person but does not stop the job, because the account may also be dead.
 */
export async function reconcile(context: Context, job: RunningJob, seen: Look): Promise<Reconciliation> {
  const { source } = seen;
  if (source === undefined || context.source === undefined || !source.sourced.ok) return {};
  // A source that does not know about a deletion must not undo it.
  if (isWithdrawn(seen.presence)) return {};
  const difference = openDifference(seen.observation, context.operator, source);
  if (difference === undefined) return {};
  const sourced = source.sourced.value;
  switch (context.source.onDifference) {
    case "page":
      return {};
    case "adopt":
      return adopt(context, job, difference, sourced);
    case "push":
      return sourced.state === "found" && difference.kind !== "untrusted"
        ? pushSafely(context, job, seen, sourced)
        : {};
  }
}

async function adopt(
  context: Context,
  job: RunningJob,
  difference: Difference,
  sourced: SourceAccount,
): Promise<Reconciliation> {
  const fingerprint = fingerprintOf(difference, sourced);
  await record(context, job, "source.adopted", { difference: difference.kind, fingerprint });
  return {
    report: report(job, "helped", "policy adopts what is in force; it stays so until either side changes"),
  };
}

async function pushSafely(context: Context, job: RunningJob, seen: Look, sourced: Found): Promise<Reconciliation> {
  try {
    const pushed = await pushFromSource(context, job, seen, sourced);
    return { pushed, report: report(job, "helped", "the source of truth had other claims") };
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.retryable || error.code === "internal") throw thrown;
    await escalate(context, job, {
      failureClass: "push_refused",
      severity: "critical",
      summary: `the source's claims were not pushed: ${error.message}`,
      advice: [error.advice],
      evidence: { error: error.toJSON(), source: sourced.place },
      about: `${error.code} ${sourced.claims.document.claims.jti}`,
    });
    return { report: report(job, error.code === "gate.refused" ? "refused" : "failed", error.message) };
  }
}

/**
 * Pushes the source's own JWT if it is valid and newer; otherwise its claims signed again, because the gate refuses a JWT
 * that is older than the one in force or expired, or that undoes a renewal.
 */
async function pushFromSource(
  context: Context,
  job: RunningJob,
  seen: Look,
  { claims: { document }, token }: Found,
): Promise<ProvedPush> {
  // An account that no server runs may have had claims too.
  const current = seen.claims ?? seen.known.lastSeen;
  const { exp, iat } = document.claims;
  const hasExpired = exp !== undefined && exp <= toSeconds(context.clock.now());
  const isOlder =
    current !== undefined &&
    (iat <= current.claims.iat || (await endsAsBeforeRenewal(context, job, document, current)));
  const use = seen.observation.streams;
  const order = { current, use, allowance: "claims", purpose: "from the source of truth" } as const;
  if (!hasExpired && !isOlder) return push(context, job, { ...order, token });
  const signer = await requireSigner(context);
  const terms = {
    issuer: signer.publicKey,
    id: context.newId(),
    now: context.clock.now(),
    ...defined({ supersedes: current }),
  };
  const signedAgain = hasExpired
    ? renewClaims(document, { ...terms, lifetime: context.policyOf(job.account, document.claims).lifetime })
    : reissue(document, terms);
  const lasting = current === undefined ? signedAgain : lastsAsLong(signedAgain, current);
  return push(context, job, { ...order, token: await signer.sign(lasting) });
}

/**
 * Whether the claims end as they did before Relight renewed them: somebody edited a source that does not have the renewal,
 * as nsc's store that was not pulled. An end of its own is what somebody wants, which the gate refuses.
 */
async function endsAsBeforeRenewal(
  { journal }: Context,
  { account }: RunningJob,
  { claims: { exp } }: ClaimsDocument,
  inForce: ClaimsDocument,
): Promise<boolean> {
  const pushed = lastPush(await memoryOf(journal, account));
  return exp !== undefined && pushed?.jti === inForce.claims.jti && pushed.ends.includes(exp);
}

function report({ account }: RunningJob, result: RungReport["result"], why: string): RungReport {
  return { rung: "reconcile", target: account, result, why };
}
