import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { trustedIssuers } from "../../domain/claims/operator.ts";
import { isWithdrawn } from "../../domain/claims/presence.ts";
import { type RenewalWindow, renewalWindow } from "../../domain/expiry/expiry.ts";
import { type EntryKind, EVEN_UNPROVED, type JournalEntry, newest } from "../../domain/journal/journal.ts";
import { proofIn } from "../../domain/journal/journal-proof.ts";
import type { Ending } from "../../domain/journal/last-job.ts";
import { memoryAssets } from "../../domain/ladder/memory.ts";
import { tierHistory, tiersToStore } from "../../domain/limits/tier-history.ts";
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
 * Checks, judges and records: the verdict, and new claims (without their signature), from which an account can be renewed
 * after the resolver deleted it. A healthy verdict resolves open incidents.
 */
export async function verify(context: Context, job: RunningJob): Promise<Look> {
  const seen = await lookTwice(context, job.account);
  await record(context, job, "verdict", verdictJson(seen.verdict));
  if (seen.lost.length > 0) await record(context, job, "loss.found", { losses: seen.lost as unknown as Json });
  await closeLosses(context, job, seen.observation);
  if (seen.claims !== undefined) await rememberClaims(context, job, seen.claims);
  await rememberTiers(context, job, seen);
  await rememberDeletion(context, job, seen);
  if (seen.presence.state === "here") await resolveIfBack(context, job);
  if (seen.verdict.health === "healthy") {
    await rememberStreams(context, job, seen);
    await rememberMemory(context, job, seen);
    await resolveIncidents(context, job);
  }
  return seen;
}

async function rememberClaims(context: Context, job: RunningJob, { claims, text }: ClaimsDocument): Promise<void> {
  const entries = await context.journal.read({ account: job.account, kinds: ["claims.seen"], limit: 1 });
  const last = entries.at(-1);
  const isKnown = last?.data["jti"] === claims.jti && last.data["claims"] === text;
  // A proof would mean that the operator signed them.
  const isOurs = trustedIssuers(context.operator).includes(claims.iss);
  const { signer: _signer, ...unable } = context;
  const data = { jti: claims.jti, name: claims.name, claims: text };
  await remember(isOurs ? context : unable, job, "claims.seen", data, isKnown ? last : undefined);
}

/** Resolves the incident of a deletion once the account is back, even if it is not healthy. */
async function resolveIfBack(context: Context, job: RunningJob): Promise<void> {
  await resolveIncidents(context, job, (open) => open === "account_deleted");
}

/** Records the streams, because other servers do not report what an absent one holds, and none reports a deleted account's. */
async function rememberStreams(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const sight = sightIn(observation);
  if (sight === undefined || !isNews(sight, await sightOf(context.journal, job.account))) return;
  await record(context, job, "streams.seen", sight as unknown as JsonObject);
}

/** Records where tiers are in force, because a later check may have no other proof of streams that it can't ask about. */
async function rememberTiers(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const servers = tiersToStore(observation, tierHistory(await memoryOf(context.journal, job.account)));
  if (servers !== undefined) await record(context, job, "tiers.seen", { servers });
}

/** Records the configurations of what is in memory, because no server knows them once it is lost. */
async function rememberMemory(context: Context, job: RunningJob, { observation }: Look): Promise<void> {
  const memory = observation.streams.ok ? memoryAssets(observation.streams.value) : [];
  const last = newest(await memoryOf(context.journal, job.account), "memory.seen", EVEN_UNPROVED);
  const isKnown = JSON.stringify(memory) === JSON.stringify(last?.data["memory"] ?? []);
  if (isKnown && last === undefined) return;
  await remember(context, job, "memory.seen", { memory: memory as unknown as Json }, isKnown ? last : undefined);
}

/** Appends new data, and known data again if its entry has no proof but can have one now. */
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

/** What a job that ends with this check stores for the next sweep. */
export function endingOf({ policyOf }: Context, seen: Look): Omit<Ending, "verifiedAt"> {
  // A deleted account is not renewed, so its expiry does not matter.
  const claims = isWithdrawn(seen.presence) ? undefined : seen.known.renewable?.claims;
  const policy = claims && policyOf(claims.sub, claims);
  const window = claims && policy && renewalWindow(claims, policy);
  return {
    verdict: seen.verdict.health,
    ...(isWithdrawn(seen.presence) ? { withdrawn: true } : {}),
    ...(seen.claims === undefined ? {} : { jti: seen.claims.claims.jti }),
    ...(window && timesOf(window)),
    ...(window && !policy?.manual ? { renewAt: window.renewAt } : {}),
  };
}

const timesOf = ({ expiresAt, warnAt, pageAt, opensAt, closesAt }: RenewalWindow) => {
  return { expiresAt, warnAt, pageAt, opensAt, closesAt };
};
