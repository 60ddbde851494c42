import type { AccountId } from "../../domain/claims/account.ts";
import { describeWithdrawal, isWithdrawn } from "../../domain/claims/presence.ts";
import { reissue } from "../../domain/claims/renewal.ts";
import { expiryWindow } from "../../domain/expiry/expiry.ts";
import { ROTATION } from "../../domain/journal/last-push.ts";
import { openRotation } from "../../domain/journal/open-remedies.ts";
import type { RotationAccount } from "../../domain/keys/key-rotation.ts";
import { defined } from "../../domain/time/defined.ts";
import { counted } from "../../domain/time/text.ts";
import type { Health } from "../../domain/verdict/verdict.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { type Context, type RunningJob, record, requireSigner } from "../context/context.ts";
import { requireMode } from "../context/mode.ts";
import { type JobDependencies, runJob } from "../job/job.ts";
import type { Look } from "../observe/look.ts";
import { lookBriefly } from "../observe/look-twice.ts";
import { endingOf, verify } from "../observe/verify.ts";
import { type ProvedPush, push } from "../push/push.ts";
import { momentOf } from "../renewal/renewal-decision.ts";
import type { RotationOrder, RotationPlan } from "./plan-rotation.ts";

export interface RotatedAccount {
  readonly account: AccountId;
  readonly name: string;
  readonly result: "rotated" | "expired" | "deleted" | "unhealthy" | "failed";
  readonly before?: Health;
  readonly after?: Health;
  readonly why: string;
}

export interface Rotation {
  /** `stopped`: an account was not healthy afterwards or could not be signed; the following accounts were left. */
  readonly state: "finished" | "stopped" | "interrupted";
  readonly why: string;
  readonly accounts: readonly RotatedAccount[];
  /** How many accounts of the plan were not reached. */
  readonly left: number;
  /** The id of the rotation's journal entries and of its jobs. */
  readonly correlation: string;
  readonly error?: RelightError;
}

/**
 * Signs every account of the plan with the new key, wave by wave, and stops at the first one that is not healthy
 * afterwards. The next run continues with the accounts that the old key still signs.
 * @throws RelightError `signer.missing`, `mode.forbids`, `journal.unavailable`.
 */
export async function rotate(deps: JobDependencies, order: RotationOrder, plan: RotationPlan): Promise<Rotation> {
  const context = await deps.context();
  requireMode(context.mode, "renew", "rotating a key");
  const { from, to, onProgress } = order;
  const run = { id: deps.newId(), account: "-" } as const;
  const correlation = run.id;
  const all = plan.waves.flat();
  const kinds = ["rotation.started", "rotation.finished"] as const;
  const interrupted = openRotation(await context.journal.read({ account: "-", kinds, limit: 1 }), to);
  const resumes = defined({ resumes: interrupted });
  const ids = all.map(({ account }) => account);
  await record(context, run, "rotation.started", { from, to, accounts: ids, correlation, ...resumes });
  const accounts: RotatedAccount[] = [];
  const end = async (state: Rotation["state"], why: string, error?: RelightError): Promise<Rotation> => {
    const left = all.length - accounts.length;
    await record(context, run, "rotation.finished", { from, to, state, why, left });
    return { state, why, accounts, left, correlation, ...defined({ error }) };
  };
  for (const [index, wave] of plan.waves.entries()) {
    const number = `wave ${index + 1} of ${plan.waves.length}`;
    for (const it of wave) {
      if (context.signal?.aborted) return end("interrupted", `stopped before ${it.name}, as requested`);
      onProgress(`${number}: ${it.name}`);
      const { done, error } = await rotateAccount(deps, order, it, correlation);
      accounts.push(done);
      await record(context, run, "rotation.account", { ...done, from, to });
      if (!CONTINUES_AFTER.includes(done.result)) return end("stopped", `${it.name}: ${done.why}`, error);
    }
    onProgress(`${number}: checking all of its accounts again`);
    const broken = await firstBroken(context, accounts, wave);
    if (broken !== undefined) return end("stopped", broken);
  }
  return end("finished", `${counted(accounts.length, "account")} now signed with the new key`);
}

/** Results after which the rotation continues. */
const CONTINUES_AFTER: readonly RotatedAccount["result"][] = ["rotated", "expired", "deleted"];

/** Checks a whole wave again, because a fault may show only after other accounts changed. */
async function firstBroken(
  context: Context,
  accounts: readonly RotatedAccount[],
  wave: readonly RotationAccount[],
): Promise<string | undefined> {
  for (const { account, name } of wave) {
    const was = accounts.find((done) => done.account === account);
    if (was?.result !== "rotated" || was.after !== "healthy") continue;
    const { verdict } = await lookBriefly(context, account);
    if (verdict.health !== "healthy")
      return `${name} was healthy after it was signed with the new key, but is ${verdict.health} at the end of its wave: ${verdict.findings[0]?.message ?? "no reason given"}`;
  }
  return undefined;
}

interface Attempt {
  readonly done: RotatedAccount;
  readonly error?: RelightError;
}

async function rotateAccount(
  deps: JobDependencies,
  { from, to }: RotationOrder,
  { account, name }: RotationAccount,
  correlation: string,
): Promise<Attempt> {
  const reason = `key rotation from ${from} to ${to}`;
  const job = { account, action: "push", trigger: "manual", reason, correlation } as const;
  try {
    const { done } = await runJob(deps, job, (context, running) => signAgain(context, running, name));
    return { done };
  } catch (thrown) {
    const error = asRelightError(thrown);
    return { done: { account, name, result: "failed", why: error.message }, error };
  }
}

async function signAgain(context: Context, job: RunningJob, name: string) {
  const signer = await requireSigner(context);
  const { account } = job;
  const seen = await verify(context, job);
  const before = seen.verdict.health;
  const left = (result: "deleted" | "expired", why: string) =>
    ended(context, seen, { account, name, result, before, why });
  if (isWithdrawn(seen.presence)) return left("deleted", describeWithdrawal(seen.presence));
  if (seen.claims === undefined) throw new RelightError("account.no_claims", `the claims of ${account} are unknown`);
  const { claims: current } = seen.claims;
  const window = expiryWindow(current, context.policyOf(account, current), momentOf(context, seen));
  if (window.state === "expired") return left("expired", "it has expired; `relight heal` renews it, with the new key");
  const terms = { issuer: signer.publicKey, id: context.newId(), now: context.clock.now() };
  const token = await signer.sign(reissue(seen.claims, terms));
  const order = { token, current: seen.claims, allowance: "nothing", purpose: ROTATION } as const;
  const pushed = await push(context, job, order);
  const { servers } = pushed;
  const last = await verify(context, job);
  const after = last.verdict.health;
  const broke = before === "healthy" && after !== "healthy";
  const where = servers.length === 0 ? "in the resolver" : `on ${servers.join(", ")}`;
  const why = broke
    ? `it was healthy before and is now ${after}: ${last.verdict.findings[0]?.message ?? "no reason given"}`
    : `its new JWT is in force ${where}`;
  const result = broke ? ("unhealthy" as const) : ("rotated" as const);
  const done = { account, name, result, before, after, why };
  return ended(context, last, done, pushed);
}

/** The end of the job, and the account's result in the rotation. */
function ended(context: Context, last: Look, done: RotatedAccount, pushed?: ProvedPush) {
  const { account, result: outcome } = done;
  const end = { account, outcome, rungs: [], verdict: last.verdict, done, ...defined({ pushed }) };
  return { end, ending: endingOf(context, last) };
}
