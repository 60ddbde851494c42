import pWaitFor, { TimeoutError } from "p-wait-for";
import type { ClaimsDocument } from "../domain/claims.ts";
import { withoutJetStream } from "../domain/jetstream-limits.ts";
import { type OpenToggle, openToggle } from "../domain/journal.ts";
import type { JsonObject } from "../domain/json.ts";
import { reissue, renewClaims } from "../domain/renewal.ts";
import { toSeconds } from "../domain/time.ts";
import { RelightError } from "../errors.ts";
import { accountKeyOf, type Context, type RunningJob, record, requireSigner } from "./context.ts";
import { isDeletedNow } from "./deletion.ts";
import { memoryOf } from "./look.ts";
import { push } from "./push.ts";

/** How long a server may take to switch an account's JetStream; milliseconds. Recovering files takes time. */
const SWITCH = { timeout: 30_000, interval: 100 };

/**
 * Takes JetStream from the account and gives it back, so that the server starts its streams anew from
 * their files. Only the ladder decides whether that is safe. The journal knows the way back before the
 * first push: whoever finds it open must close it with {@link finishToggle}.
 */
export async function toggleJetStream(context: Context, job: RunningJob, toggle: OpenToggle): Promise<void> {
  const { claims, memory } = toggle;
  const signer = await requireSigner(context);
  const assets = memory as unknown as JsonObject[];
  await record(context, job, "toggle.opened", {
    jti: claims.claims.jti,
    claims: claims.text,
    memory: assets,
  });
  const terms = { issuer: signer.publicKey, id: context.newId(), now: context.clock.now() };
  const off = reissue(claims, terms, withoutJetStream(claims.claims));
  const token = await signer.sign(off);
  await push(context, job, { token, current: claims, leave: "jetstream-switch", purpose: "JetStream off" });
  await waitForJetStream(context, job, false);
  await giveBack(context, job, toggle, off);
}

/** Closes a toggle that a job which died left open. Returns whether there was one. */
export async function finishToggle(context: Context, job: RunningJob): Promise<boolean> {
  const toggle = openToggle(await memoryOf(context.journal, job.account));
  if (toggle === undefined || (await isDeletedNow(context, job))) return false;
  context.log.warn("finishing a toggle that another job left open", { account: job.account });
  const running = (await context.resolver.running(job.account)).find((entry) => entry.loaded);
  const stored = await context.resolver.lookup(job.account);
  await giveBack(context, job, toggle, running?.document ?? stored?.document ?? toggle.claims);
  return true;
}

async function giveBack(
  context: Context,
  job: RunningJob,
  { claims: original, memory }: OpenToggle,
  current: ClaimsDocument,
): Promise<void> {
  const signer = await requireSigner(context);
  const now = context.clock.now();
  const terms = { issuer: signer.publicKey, id: context.newId(), now, supersedes: current };
  const { exp } = original.claims;
  const hasExpired = exp !== undefined && exp <= toSeconds(now);
  const on = hasExpired
    ? renewClaims(original, { ...terms, lifetime: context.policyOf(job.account, original.claims).lifetime })
    : reissue(original, terms);
  const token = await signer.sign(on);
  await push(context, job, { token, current, leave: "jetstream-switch", purpose: "JetStream on" });
  await waitForJetStream(context, job, true);
  const accountKey = await accountKeyOf(context, job.account);
  if (memory.length > 0 && accountKey !== undefined)
    await context.assets.recreate(job.account, accountKey, memory);
  await record(context, job, "toggle.closed", { jti: on.claims.jti });
}

async function waitForJetStream(
  { resolver }: Context,
  { account }: RunningJob,
  enabled: boolean,
): Promise<void> {
  const isSwitched = async (): Promise<boolean> => {
    const servers = await resolver.running(account);
    return servers.every((entry) => !entry.loaded || entry.jetstream === enabled);
  };
  try {
    await pWaitFor(isSwitched, SWITCH);
  } catch (cause) {
    if (!(cause instanceof TimeoutError)) throw cause;
    const state = enabled ? "on" : "off";
    throw new RelightError(
      "push.not_proved",
      `JetStream of ${account} was not ${state} after ${SWITCH.timeout / 1000} s`,
    );
  }
}
