import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { isTrusted } from "../../domain/claims/claims-source.ts";
import { reissue, renewClaims } from "../../domain/claims/renewal.ts";
import { type OpenToggle, openToggle } from "../../domain/journal/open-remedies.ts";
import { enablesJetStream, withoutJetStream } from "../../domain/limits/jetstream-limits.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { toSeconds } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { accountKeyOf, type Context, type RunningJob, record, requireSigner } from "../context/context.ts";
import { waitUntil } from "../context/wait-until.ts";
import { provedBy } from "../journal/proof.ts";
import { memoryOf } from "../journal/remembered.ts";
import { isDeletedNow } from "../observe/deletion.ts";
import { storedIn } from "../observe/stored.ts";
import { push } from "../push/push.ts";

/**
 * Turns the account's JetStream off and on, which makes the server load its streams from their files again. The ladder
 * decides whether that is safe. The journal has the original claims before the first push; a later job that finds an open
 * entry must call {@link finishToggle}.
 */
export async function toggleJetStream(context: Context, job: RunningJob, toggle: OpenToggle): Promise<void> {
  const { claims, memory } = toggle;
  const signer = await requireSigner(context);
  const terms = { issuer: signer.publicKey, id: context.newId(), now: context.clock.now() };
  const off = reissue(claims, terms, withoutJetStream(claims.claims));
  const token = await signer.sign(off);
  const assets = memory as unknown as JsonObject[];
  await record(context, job, "toggle.opened", {
    jti: claims.claims.jti,
    off: terms.id,
    claims: claims.text,
    memory: assets,
  });
  try {
    await push(context, job, {
      token,
      current: claims,
      allowance: "jetstream-switch",
      purpose: "JetStream off",
    });
    await waitForJetStream(context, job, false);
  } catch (thrown) {
    await undo(context, job, off, asRelightError(thrown));
    throw thrown;
  }
  await switchOn(context, job, toggle, off);
}

/** Turns JetStream on again after any error, because it may be off on some servers, or soon. If that fails, the next job does. */
async function undo(
  context: Context,
  job: RunningJob,
  off: ClaimsDocument,
  { code, message }: RelightError,
): Promise<void> {
  const isRefused = code === "gate.refused" || code === "push.nowhere";
  if (isRefused || (code === "push.rejected" && !(await isAnywhere(context, job, off))))
    return record(context, job, "toggle.closed", { refused: message });
  await finishToggle(context, job);
}

/** Whether a server or the resolver has the claims without JetStream, although one rejected them. */
async function isAnywhere({ resolver }: Context, { account }: RunningJob, off: ClaimsDocument): Promise<boolean> {
  const running = (await resolver.running(account)).flatMap((it) => (it.loaded ? [it.document] : []));
  const stored = await storedIn(resolver, account);
  const all = [...running, ...(stored.kept && stored.jwt !== undefined ? [stored.jwt.document] : [])];
  return all.some(({ claims }) => claims.jti === off.claims.jti);
}

/** Finishes a toggle that a crashed job left open. Returns whether there was one. */
export async function finishToggle(context: Context, job: RunningJob): Promise<boolean> {
  const toggle = openToggle(await memoryOf(context.journal, job.account), provedBy(context));
  if (toggle === undefined || (await isDeletedNow(context, job))) return false;
  context.log.warn("finishing a toggle that another job left open", { account: job.account });
  const running = (await context.resolver.running(job.account)).flatMap((it) => (it.loaded ? [it] : []));
  const stored = await storedIn(context.resolver, job.account);
  const candidates = [...running, ...(stored.kept && stored.jwt !== undefined ? [stored.jwt] : [])];
  const current = candidates.find((claims) => isTrusted(claims, context.operator))?.document ?? toggle.claims;
  if (isOvertaken(toggle, current)) await close(context, job, toggle, current);
  else await switchOn(context, job, toggle, current);
  return true;
}

/**
 * Whether newer claims with JetStream are in force, over which the journal's claims must not be pushed. For newer claims
 * without JetStream, the gate decides.
 */
function isOvertaken({ claims: original, off }: OpenToggle, current: ClaimsDocument): boolean {
  if (current.claims.jti === original.claims.jti || current.claims.jti === off) return false;
  return enablesJetStream(current.claims);
}

async function switchOn(
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
  await push(context, job, { token, current, allowance: "jetstream-switch", purpose: "JetStream on" });
  await close(context, job, { memory }, on);
}

/** Waits for JetStream, recreates what was in memory, and closes the toggle in the journal. */
async function close(
  context: Context,
  job: RunningJob,
  { memory }: Pick<OpenToggle, "memory">,
  { claims }: ClaimsDocument,
): Promise<void> {
  await waitForJetStream(context, job, true);
  const accountKey = await accountKeyOf(context, job.account);
  if (memory.length > 0 && accountKey !== undefined) await context.assets.recreate(job.account, accountKey, memory);
  await record(context, job, "toggle.closed", { jti: claims.jti });
}

async function waitForJetStream(
  { resolver, clock, timing: { jetStreamSwitched } }: Context,
  { account }: RunningJob,
  enabled: boolean,
): Promise<void> {
  const isSwitched = async (): Promise<boolean> => {
    const servers = await resolver.running(account);
    return servers.every((entry) => !entry.loaded || entry.jetstream === enabled);
  };
  if (await waitUntil(clock, isSwitched, jetStreamSwitched)) return;
  const [state, seconds] = [enabled ? "on" : "off", jetStreamSwitched.timeout / 1000];
  throw new RelightError("push.not_proved", `JetStream of ${account} did not turn ${state} within ${seconds} s`);
}
