import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { describeResolvers, whereForgotten, whyNoPush } from "../../domain/claims/resolver-kind.ts";
import { readOtherwise } from "../../domain/claims/server-reading.ts";
import { type Allowance, gate } from "../../domain/gate/gate.ts";
import type { HarmLeave } from "../../domain/gate/gate-harm.ts";
import { rememberedPush } from "../../domain/journal/last-push.ts";
import type { ClockSkew } from "../../domain/observation/clocks.ts";
import type { Observation, RunningAccount, ServerFacts } from "../../domain/observation/observation.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { toSeconds } from "../../domain/time/time.ts";
import { importDefect } from "../../domain/verdict/import-findings.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { requireMode } from "../context/mode.ts";
import { waitUntil } from "../context/wait-until.ts";
import { assertNotDeleted } from "../observe/deletion.ts";
import { storedIn } from "../observe/stored.ts";
import { gateFacts } from "./gate-facts.ts";

export interface PushOrder {
  readonly token: string;
  /** The claims that the JWT replaces, for the gate. */
  readonly current: ClaimsDocument | undefined;
  readonly allowance: Allowance;
  readonly purpose: string;
  /** How far the servers' clocks are off, for the gate. */
  readonly skew?: ClockSkew;
  /** The account's observed streams, for the gate: limits must not fall below their usage. */
  readonly use?: Observation["streams"];
  /** Harm that a person allowed. */
  readonly allowed?: readonly HarmLeave[];
}

/** A proved push: the JWT's claims, and the servers that run it. */
export interface ProvedPush {
  readonly document: ClaimsDocument;
  readonly servers: readonly string[];
  readonly changes: readonly JsonObject[];
  /** What the proof does not cover, because of a defect of the servers; absent if nothing is known. */
  readonly caution?: string;
  /** Where the JWT is not kept, and what to do about it; absent if every server keeps it. */
  readonly forgotten?: string;
}

/**
 * The only function that pushes to the resolver: gate, journal, push, proof on every server.
 * @throws RelightError `jwt.malformed`, `gate.refused`, `mode.forbids`, `account.deleted` and `push.nowhere` (nothing was
 * pushed), `push.*`, `nats.*`.
 */
export async function push(context: Context, job: RunningJob, order: PushOrder): Promise<ProvedPush> {
  const candidate = context.codec.decode(order.token);
  const changes = await passGate(context, job, candidate, order);
  requireMode(context.mode, "renew", "a push");
  const { isKept } = await assertNotDeleted(context, job);
  const servers = await assertTaken(context, job.account);
  const { jti, iss, iat, exp } = candidate.document.claims;
  const jwt = { jti, iss, iat, exp: exp ?? null };
  const back = job.undelete ? { undelete: true } : {};
  await record(context, job, "push.started", { purpose: order.purpose, jwt, changes, ...back });
  // A renewal by policy is no decision against the deletion, which somebody still has to carry out.
  if (isKept) await record(context, job, "account.deleted", { how: "ordered", iat, jti });
  await context.resolver.push(candidate.token);
  const proved = await prove(context, job, candidate.document);
  const remembered = rememberedPush(candidate.document.claims, changes);
  const { purpose } = order;
  await record(context, job, "push.proved", { jti, iat, exp: exp ?? null, purpose, servers: proved, ...remembered });
  const forgotten = whereForgotten(servers);
  if (forgotten !== undefined) context.log.warn("a pushed JWT is not kept", { account: job.account, forgotten });
  const caution = changes.some(({ path }) => /^nats\.(imports|exports)\b/.test(String(path)))
    ? importDefect(servers)
    : undefined;
  return { document: candidate.document, servers: proved, changes, ...defined({ forgotten, caution }) };
}

/**
 * Called before anything is journaled or pushed, because some resolvers take no JWT of an account that is not loaded.
 * Returns the servers.
 * @throws RelightError `push.nowhere`, `nats.*`
 */
export async function assertTaken(context: Context, account: AccountId): Promise<readonly ServerFacts[]> {
  const servers = await context.probes.servers();
  const why = whyNoPush(servers);
  if (why !== undefined && !(await context.resolver.running(account)).some(isLoaded))
    throw new RelightError("push.nowhere", why, { details: { resolver: describeResolvers(servers) } });
  return servers;
}

async function passGate(
  context: Context,
  job: RunningJob,
  { document, signatureValid }: DecodedJwt,
  { current, allowance, skew, use, allowed }: PushOrder,
): Promise<readonly JsonObject[]> {
  const facts = await gateFacts(context, job.account, { current, candidate: document, allowance });
  const decision = gate({
    account: job.account,
    operator: context.operator,
    candidate: document,
    signatureValid,
    allowance,
    ...defined({ current }),
    now: toSeconds(context.clock.now()),
    ...defined({ skew, use, allowed }),
    ...facts,
  });
  const changes = decision.changes.map(({ path, before, after }) => ({
    path,
    before: before ?? null,
    after: after ?? null,
  }));
  if (decision.decision === "accept") return changes;
  const refusals = decision.refusals.map(({ code, message }) => ({ code, message }));
  const { jti, iss } = document.claims;
  await record(context, job, "gate.refused", { jti, iss, refusals, changes });
  const reasons = refusals.map(({ message }) => message).join("; ");
  throw new RelightError("gate.refused", `the JWT ${jti} for ${job.account} was not pushed: ${reasons}`, {
    details: { refusals, changes },
  });
}

/**
 * Waits until every server that has the account loaded runs the JWT and reads it like Relight, and the resolver holds it.
 * The servers' 200 "jwt updated" proves nothing. Servers that have not loaded the account do not count. Without a full
 * resolver at least one server must run it.
 */
async function prove(context: Context, { account }: RunningJob, document: ClaimsDocument): Promise<readonly string[]> {
  const { claims } = document;
  let seen: InForce = { proved: [], lagging: [], misread: [] };
  const isProved = async (): Promise<boolean> => {
    seen = await whereInForce(context, account, ({ text }) => text === document.text);
    return seen.lagging.length === 0 || seen.misread.length > 0;
  };
  const notProved = (what: string): RelightError => {
    const { proved, lagging, misread } = seen;
    const message = `the JWT ${claims.jti} was accepted, but ${what}`;
    return new RelightError("push.not_proved", message, { details: { lagging, proved, misread } });
  };
  const { pushProved } = context.timing;
  if (!(await waitUntil(context.clock, isProved, pushProved)))
    throw notProved(`after ${pushProved.timeout / 1000} s it is not in force on ${seen.lagging.join(", ")}`);
  if (seen.misread.length > 0) throw notProved(seen.misread.join("; "));
  return seen.proved;
}

interface InForce {
  /** The servers that run the JWT. */
  readonly proved: readonly string[];
  /** Servers that run another JWT of the account; also the resolver, if only it holds another one. */
  readonly lagging: readonly string[];
  /** What servers that run it read differently from Relight. */
  readonly misread: readonly string[];
}

/** Whether these are the wanted claims. */
type IsWanted = (document: ClaimsDocument) => boolean;

/** Checks once where the JWT is in force: on the servers that have the account loaded, and in the resolver. */
export async function whereInForce(
  context: Pick<Context, "resolver">,
  account: AccountId,
  isWanted: IsWanted,
): Promise<InForce> {
  try {
    return await askWhere(context, account, isWanted);
  } catch (thrown) {
    const { code, message } = asRelightError(thrown);
    if (code !== "claims.unreadable") throw thrown;
    // It replaces unreadable claims, and not every server has loaded it yet.
    return { proved: [], lagging: [message], misread: [] };
  }
}

async function askWhere(
  { resolver }: Pick<Context, "resolver">,
  account: AccountId,
  isWanted: IsWanted,
): Promise<InForce> {
  const servers = (await resolver.running(account)).filter(isLoaded);
  const running = servers.filter(({ document }) => isWanted(document));
  const misread = running.flatMap(({ server, document, decoded }) => {
    const otherwise = decoded === undefined ? [] : readOtherwise(document, decoded);
    return otherwise.length === 0 ? [] : [`${server} reads ${otherwise.join(", ")}`];
  });
  const proved = misread.length > 0 ? [] : running.map(({ server }) => server);
  const lagging = servers.map(({ server }) => server).filter((server) => !proved.includes(server));
  if (lagging.length > 0) return { proved, lagging, misread };
  const stored = await storedIn(resolver, account);
  if (!stored.kept) return { proved, lagging: proved.length > 0 ? [] : ["any server"], misread };
  return { proved, lagging: stored.jwt && isWanted(stored.jwt.document) ? [] : ["the resolver"], misread };
}

function isLoaded(entry: RunningAccount): entry is Extract<RunningAccount, { loaded: true }> {
  return entry.loaded;
}
