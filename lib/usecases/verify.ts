import pWaitFor, { TimeoutError } from "p-wait-for";
import type { AccountId } from "../domain/account.ts";
import type { ClaimsDocument } from "../domain/claims.ts";
import { isTrusted, type SourceView } from "../domain/claims-source.ts";
import { windowBounds } from "../domain/expiry.ts";
import { lastClaims } from "../domain/journal.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { memoryAssets } from "../domain/memory.ts";
import type { Operator } from "../domain/operator.ts";
import { isWithdrawn } from "../domain/presence.ts";
import { patienceWith } from "../domain/settling.ts";
import { lastStreams, type SeenStream, streamsIn } from "../domain/streams-seen.ts";
import type { Millis } from "../domain/time.ts";
import { type Context, type RunningJob, record } from "./context.ts";
import { rememberDeletion } from "./deletion.ts";
import { resolveIncidents } from "./escalate.ts";
import type { JobResult } from "./job.ts";
import { type Look, look } from "./look.ts";

/** How often it is looked again before a verdict is believed; a look at hundreds of streams costs something. */
const looksWithin = (patience: Millis): number => Math.min(1_000, patience / 4);
/** What is waited for may change while waiting, but not for ever. */
const MOST_WAITS = 3;

/**
 * Looks, judges and records: the verdict, and claims not seen before (without their signature), from which
 * an account can be brought back that the resolver deleted. A healthy verdict resolves what was escalated.
 */
export async function verify(context: Context, job: RunningJob): Promise<Look> {
  const seen = await lookTwice(context, job.account);
  await record(context, job, "verdict", seen.verdict as unknown as JsonObject);
  if (seen.claims !== undefined) await rememberClaims(context, job, seen.claims);
  await rememberDeletion(context, job, seen);
  if (seen.presence.state === "here") await sayIfBack(context, job);
  if (seen.verdict.verdict === "healthy") {
    await rememberStreams(context, job, seen);
    await rememberMemory(context, job, seen);
    await resolveIncidents(context, job);
  }
  return seen;
}

/**
 * A first look that finds something dead may have caught a leader election, or a leafnode or a mirror on its
 * way back: what it found is believed only if it is still there when that would be over.
 */
async function lookTwice(context: Context, account: AccountId): Promise<Look> {
  let seen = await look(context, account);
  for (let waits = 0; waits < MOST_WAITS; waits++) {
    const patience = patienceWith(seen.verdict);
    if (patience === undefined) return seen;
    const lookAgain = async (): Promise<boolean> => {
      seen = await look(context, account);
      return patienceWith(seen.verdict) !== patience;
    };
    const options = { timeout: patience, interval: looksWithin(patience), before: false };
    if (!(await isMetInTime(lookAgain, options))) return seen;
  }
  return seen;
}

async function isMetInTime(
  condition: () => Promise<boolean>,
  options: Parameters<typeof pWaitFor>[1],
): Promise<boolean> {
  try {
    await pWaitFor(condition, options);
    return true;
  } catch (error) {
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}

async function rememberClaims(
  context: Context,
  job: RunningJob,
  { claims, text }: ClaimsDocument,
): Promise<void> {
  const entries = await context.journal.read({ account: job.account, kinds: ["claims.seen"], limit: 1 });
  if (entries.at(-1)?.data["jti"] === claims.jti) return;
  await record(context, job, "claims.seen", { jti: claims.jti, name: claims.name ?? "", claims: text });
}

/** A page of a deletion ends when the account is back, whoever brought it back and however well it is. */
async function sayIfBack(context: Context, job: RunningJob): Promise<void> {
  await resolveIncidents(
    context,
    job,
    (open) => open === "account_deleted",
    "somebody brought the account back",
  );
}

/** Once an account is deleted no server tells of its streams, though they lie on the disks. */
async function rememberStreams(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const streams = streamsIn(observation);
  if (streams === undefined) return;
  const known = await context.journal.read({ account: job.account, kinds: ["streams.seen"], limit: 1 });
  const nameless = (list: readonly SeenStream[]) => list.map(({ name }) => name).join("\n");
  if (nameless(lastStreams(known)) === nameless(streams)) return;
  await record(context, job, "streams.seen", { streams: streams as unknown as Json });
}

/** What is in memory only is journalled while it is well: once no server holds it, no server tells how it was. */
async function rememberMemory(
  context: Context,
  job: RunningJob,
  { observation, memorySeen }: Look,
): Promise<void> {
  const memory = observation.streams.ok ? memoryAssets(observation.streams.value) : [];
  if (JSON.stringify(memory) === JSON.stringify(memorySeen)) return;
  await record(context, job, "memory.seen", { memory: memory as unknown as Json });
}

/**
 * The claims to renew from: those in force. Where there are none (a full resolver deletes what expired), the
 * newer of the source's, if trusted, and those last seen. A newer JWT in the source never takes the place of
 * claims in force here: a renewal must not smuggle in a change that nobody looked at.
 */
export async function claimsToRenew(
  context: Context,
  { observation, claims, source }: Pick<Look, "observation" | "claims" | "source">,
): Promise<ClaimsDocument | undefined> {
  if (claims !== undefined) return claims;
  const { account } = observation;
  const seen = lastClaims(await context.journal.read({ account, kinds: ["claims.seen"], limit: 1 }));
  const sourced = trustedIn(source, context.operator);
  if (seen === undefined || sourced === undefined) return sourced ?? seen;
  return sourced.claims.iat > seen.claims.iat ? sourced : seen;
}

/** What a job that ends with this look leaves behind for the next sweep. */
export async function endingOf(context: Context, seen: Look): Promise<JobResult["ending"]> {
  // What somebody deleted is not renewed: that it expires is no matter.
  const claims = isWithdrawn(seen.presence) ? undefined : (await claimsToRenew(context, seen))?.claims;
  const bounds = claims && windowBounds(claims, context.policyOf(claims.sub, claims));
  return {
    verdict: seen.verdict.verdict,
    ...(isWithdrawn(seen.presence) ? { withdrawn: true } : {}),
    ...(seen.claims === undefined ? {} : { jti: seen.claims.claims.jti }),
    ...(bounds && { expiresAt: bounds.expiresAt, warnAt: bounds.warnAt, pageAt: bounds.pageAt }),
  };
}

function trustedIn(source: SourceView | undefined, operator: Operator): ClaimsDocument | undefined {
  if (source === undefined || !source.sourced.ok || source.sourced.value.state !== "found") return undefined;
  const { claims } = source.sourced.value;
  return isTrusted(claims, operator) ? claims.document : undefined;
}
