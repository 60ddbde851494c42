import pWaitFor, { TimeoutError } from "p-wait-for";
import type { AccountId } from "../domain/account.ts";
import type { ClaimsDocument } from "../domain/claims.ts";
import { lastClaims, lastMemory } from "../domain/journal.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { memoryAssets } from "../domain/memory.ts";
import { type Context, type RunningJob, record } from "./context.ts";
import { resolveIncidents } from "./escalate.ts";
import { type Look, look } from "./look.ts";

/** How long a death must last to be believed, and how often it is looked at; milliseconds. */
const CONFIRM = { timeout: 1_000, interval: 250 };

/**
 * Looks, judges and records: the verdict, and claims not seen before (without their signature), from which
 * an account can be brought back that the resolver deleted. A healthy verdict resolves what was escalated.
 */
export async function verify(context: Context, job: RunningJob): Promise<Look> {
  const seen = await lookTwice(context, job.account);
  await record(context, job, "verdict", seen.verdict as unknown as JsonObject);
  if (seen.claims !== undefined) await rememberClaims(context, job, seen.claims);
  if (seen.verdict.verdict === "healthy") {
    await rememberMemory(context, job, seen);
    await resolveIncidents(context, job);
  }
  return seen;
}

/**
 * A first look that finds something dead may have caught a leader election: it is dead only if it still is
 * after a second.
 */
async function lookTwice(context: Context, account: AccountId): Promise<Look> {
  let seen = await look(context, account);
  const isAlive = (): boolean => seen.verdict.verdict !== "dead";
  if (isAlive() || hasExpired(seen)) return seen;
  const lookAgain = async (): Promise<boolean> => {
    seen = await look(context, account);
    return isAlive();
  };
  await pWaitFor(lookAgain, { ...CONFIRM, before: false }).catch((error: unknown) => {
    if (!(error instanceof TimeoutError)) throw error;
  });
  return seen;
}

function hasExpired({ verdict }: Look): boolean {
  return verdict.findings.some(({ code }) => code === "account.expired");
}

async function rememberClaims(
  context: Context,
  job: RunningJob,
  { claims, text }: ClaimsDocument,
): Promise<void> {
  const entries = await context.journal.read({ account: job.account, kinds: ["claims.seen"], limit: 1 });
  if (entries.at(-1)?.data["jti"] === claims.jti) return;
  await record(context, job, "claims.seen", { jti: claims.jti, claims: text });
}

/** What is in memory only is journalled while it is well: once no server holds it, no server tells how it was. */
async function rememberMemory(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const memory = observation.streams.ok ? memoryAssets(observation.streams.value) : [];
  const kinds = ["memory.seen"] as const;
  const known = lastMemory(await context.journal.read({ account: job.account, kinds, limit: 1 }));
  if (JSON.stringify(memory) === JSON.stringify(known)) return;
  await record(context, job, "memory.seen", { memory: memory as unknown as Json });
}

/** The claims to renew from: those in force, or those last seen where a full resolver deleted them. */
export async function claimsToRenew(
  context: Context,
  { observation, claims }: Look,
): Promise<ClaimsDocument | undefined> {
  if (claims !== undefined) return claims;
  const { account } = observation;
  return lastClaims(await context.journal.read({ account, kinds: ["claims.seen"], limit: 1 }));
}
