import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { trustedIssuers } from "../../domain/claims/operator.ts";
import { isWithdrawn } from "../../domain/claims/presence.ts";
import { windowBounds } from "../../domain/expiry/expiry.ts";
import { type EntryKind, type JournalEntry, newest, TOLD_ONLY } from "../../domain/journal/journal.ts";
import { proofIn } from "../../domain/journal/journal-proof.ts";
import type { Ending } from "../../domain/journal/last-job.ts";
import { memoryAssets } from "../../domain/ladder/memory.ts";
import { isNews, sightIn } from "../../domain/observation/streams-seen.ts";
import type { Json, JsonObject } from "../../domain/time/json.ts";
import { verdictJson } from "../../domain/verdict/verdict.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { provedBy, withProof } from "../journal/proof.ts";
import { memoryOf, sightOf } from "../journal/remembered.ts";
import { resolveIncidents } from "../paging/escalate.ts";
import { rememberDeletion } from "./deletion.ts";
import type { Look } from "./look.ts";
import { lookTwice } from "./look-twice.ts";
import { closeLosses } from "./losses.ts";

/**
 * Looks, judges and records: the verdict, and claims not seen before (without their signature), from which
 * an account can be brought back that the resolver deleted. A healthy verdict resolves what was escalated.
 */
export async function verify(context: Context, job: RunningJob): Promise<Look> {
  const seen = await lookTwice(context, job.account);
  await record(context, job, "verdict", verdictJson(seen.verdict));
  if (seen.lost.length > 0)
    await record(context, job, "loss.found", { losses: seen.lost as unknown as Json });
  await closeLosses(context, job, seen.observation);
  if (seen.claims !== undefined) await rememberClaims(context, job, seen.claims);
  await rememberDeletion(context, job, seen);
  if (seen.presence.state === "here") await sayIfBack(context, job);
  if (seen.verdict.health === "healthy") {
    await rememberStreams(context, job, seen);
    await rememberMemory(context, job, seen);
    await resolveIncidents(context, job);
  }
  return seen;
}

async function rememberClaims(
  context: Context,
  job: RunningJob,
  { claims, text }: ClaimsDocument,
): Promise<void> {
  const entries = await context.journal.read({ account: job.account, kinds: ["claims.seen"], limit: 1 });
  const last = entries.at(-1);
  const isKnown = last?.data["jti"] === claims.jti && last.data["claims"] === text;
  // A proof would say that the operator signed them.
  const isOurs = trustedIssuers(context.operator).includes(claims.iss);
  const { signer: _signer, ...unable } = context;
  const data = { jti: claims.jti, name: claims.name, claims: text };
  await remember(isOurs ? context : unable, job, "claims.seen", data, isKnown ? last : undefined);
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

/** What a server holds that goes, no other tells; once an account is deleted, none tells of its streams at all. */
async function rememberStreams(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const sight = sightIn(observation);
  if (sight === undefined || !isNews(sight, await sightOf(context.journal, job.account))) return;
  await record(context, job, "streams.seen", sight as unknown as JsonObject);
}

/** What is in memory only is journalled while it is well: once no server holds it, no server tells how it was. */
async function rememberMemory(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const memory = observation.streams.ok ? memoryAssets(observation.streams.value) : [];
  const last = newest(await memoryOf(context.journal, job.account), "memory.seen", TOLD_ONLY);
  const isKnown = JSON.stringify(memory) === JSON.stringify(last?.data["memory"] ?? []);
  if (isKnown && last === undefined) return;
  await remember(
    context,
    job,
    "memory.seen",
    { memory: memory as unknown as Json },
    isKnown ? last : undefined,
  );
}

/** Appends what is new, and what `known` says already where that is not proved and now can be. */
async function remember(
  context: Pick<Context, "codec" | "operator" | "journal" | "clock" | "signer" | "log" | "mode">,
  job: RunningJob,
  kind: EntryKind,
  data: JsonObject,
  known: JournalEntry | undefined,
): Promise<void> {
  if (known !== undefined && provedBy(context)(known)) return;
  const { id, account } = job;
  const entry = await withProof(context, { at: context.clock.now(), job: id, account, kind, data });
  if (known !== undefined && proofIn(entry) === undefined) return;
  await context.journal.append(entry);
}

/** What a job that ends with this look leaves behind for the next sweep. */
export function endingOf({ policyOf }: Context, seen: Look): Omit<Ending, "verifiedAt"> {
  // What somebody deleted is not renewed: that it expires is no matter.
  const claims = isWithdrawn(seen.presence) ? undefined : seen.known.renewable?.claims;
  const bounds = claims && windowBounds(claims, policyOf(claims.sub, claims));
  return {
    verdict: seen.verdict.health,
    ...(isWithdrawn(seen.presence) ? { withdrawn: true } : {}),
    ...(seen.claims === undefined ? {} : { jti: seen.claims.claims.jti }),
    ...(bounds && { expiresAt: bounds.expiresAt, warnAt: bounds.warnAt, pageAt: bounds.pageAt }),
  };
}
