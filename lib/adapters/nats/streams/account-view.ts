import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { AccountClaims } from "../../../domain/claims/claims.ts";
import { loaded as loadedOn } from "../../../domain/claims/claims-in-force.ts";
import { keptOut, mayKeepOut } from "../../../domain/gate/kept-out.ts";
import { connectionRefusal } from "../../../domain/limits/connection-use.ts";
import { enablesJetStream } from "../../../domain/limits/jetstream-limits.ts";
import type { LimitsRoom } from "../../../domain/limits/server-use.ts";
import type { DomainQuestion } from "../../../domain/observation/domains.ts";
import type {
  AccountView,
  AccountViewProbe,
  Probe,
  RunningAccount,
  ServerFacts,
} from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { type Millis, millis, toSeconds } from "../../../domain/time/time.ts";
import { asRelightError, probe, RelightError } from "../../../errors.ts";
import { type AccountConnectionSettings, withAccountConnection } from "../account/account-connection.ts";
import { INBOX, QUESTIONS } from "../account/account-user.ts";
import { type JetStreamInfo, type JetStreamUsage, jetStreamInfo, read } from "../connection/answers.ts";
import { keyFromSeed } from "../jwt/jwt-codec.ts";
import { ACCOUNT_NOT_FOUND, NOT_ENABLED, STREAM_NOT_FOUND } from "../probes/api-codes.ts";
import { askDomains, subjectsFor } from "../probes/domains.ts";
import { streamNames } from "../probes/lists.ts";
import { type ApiAnswer, requestApi } from "./api-requests.ts";
import { findUnheld, type Inquiry as UnheldInquiry } from "./unheld.ts";

/** The API answers in milliseconds, or for a dead stream not at all. Hundreds may be dead, so ask many at once, and not for long. */
const INFOS_AT_ONCE = 64;
const INFO_TIMEOUT = millis(2_000);

const INFO = "$JS.API.INFO";

/** A question to JetStream's API without a body. @throws RelightError `nats.*`, except for a timeout */
type AskApi = (subject: string) => Promise<ApiAnswer>;

/** Additional requests. */
export interface Wanted {
  readonly questions: readonly DomainQuestion[];
  /** What servers hold of the account; undefined if unknown. */
  readonly holdings: (Omit<UnheldInquiry, "consumers"> & { readonly nodeless: ReadonlySet<string> }) | undefined;
}

/** Observes JetStream as the account's own clients see it, through a short-lived user. */
export async function lookAsAccount(
  settings: AccountConnectionSettings,
  account: AccountId,
  accountKey: string | undefined,
  servers: readonly ServerFacts[],
  running: Probe<readonly RunningAccount[]>,
  { questions, holdings }: Wanted,
): Promise<AccountViewProbe> {
  if (accountKey === undefined)
    return { ok: "not-asked", why: "no signingKey is configured for the account", noKey: true };
  if (!servers.some(({ jetstream }) => jetstream)) return { ok: "not-asked", why: "no server has JetStream" };
  const refusal = connectionRefusal(running);
  if (refusal !== undefined) return { ok: "not-asked", why: refusal.message };
  const loaded = loadedOn({ running });
  const exclusion = exclusionOf(settings, loaded[0]?.document.claims, accountKey);
  if (exclusion.certain !== undefined) return { ok: "not-asked", why: exclusion.certain, keptOut: true };
  if (loaded.some(({ expired }) => expired))
    return { ok: "not-asked", why: "the account has expired, so the servers refuse its users" };
  try {
    const claims = loaded[0]?.document.claims;
    const mayHave = claims === undefined || enablesJetStream(claims);
    const mayAsk = [...QUESTIONS, ...subjectsFor(questions)];
    const order = { account, claims, accountKey, mayAsk };
    const value = await withAccountConnection(settings, order, (connection) =>
      view(connection, settings.timeout, { questions, holdings, mayHave }),
    );
    return { ok: true, value };
  } catch (thrown) {
    // Problems of this connection do not affect the system account's, so they are a failed probe.
    const { code, message } = asRelightError(thrown);
    if (code === "nats.unauthorized" && exclusion.possible !== undefined)
      return { ok: "not-asked", why: exclusion.possible, keptOut: true };
    return { ok: false, code, message };
  }
}

/** What in the claims keeps Relight's users out, for certain or perhaps. A bad key is reported when it is used. */
function exclusionOf(
  { clock }: AccountConnectionSettings,
  claims: AccountClaims | undefined,
  accountKey: string,
): { readonly certain?: string | undefined; readonly possible?: string | undefined } {
  const signedBy = attemptKey(accountKey);
  if (claims === undefined || signedBy === undefined) return {};
  const user = { signedBy, now: toSeconds(clock.now()), pub: QUESTIONS, sub: [`${INBOX}_X.1`] };
  return { certain: keptOut(claims, user), possible: mayKeepOut(claims, signedBy) };
}

function attemptKey(seed: string): string | undefined {
  try {
    return keyFromSeed(seed, "A", "the account's signingKey").getPublicKey();
  } catch {
    return undefined;
  }
}

interface Inquiry extends Wanted {
  /** Whether the account's claims give it JetStream. */
  readonly mayHave: boolean;
}

async function view(
  connection: NatsConnection,
  timeout: Millis,
  { questions, holdings, mayHave }: Inquiry,
): Promise<AccountView> {
  const bound = millis(Math.min(timeout, INFO_TIMEOUT));
  const ask: AskApi = (subject) => requestApi(connection, subject, "", bound);
  const [info, domains] = await Promise.all([accountInfo(ask, mayHave), askDomains(connection, questions, bound)]);
  const none = { streams: 0, consumers: 0, limits: {} };
  if (typeof info === "string") return { jetstream: info, info: none, streamNames: [], failing: [], domains };
  const names = await streamNames({ connection, timeout });
  const listed = [...names];
  const { consumers } = info;
  const [unheld, failing] = await Promise.all([
    holdings && probe(() => findUnheld({ connection, timeout }, names, { ...holdings, consumers })),
    failuresOf(
      ask,
      listed.filter((name) => mayAnswer(name, holdings)),
      new Set(listed.filter((name) => holdings && (!holdings.held.has(name) || holdings.nodeless.has(name)))),
      () => streamNames({ connection, timeout }),
    ),
  ]);
  return {
    jetstream: "enabled",
    info: { streams: info.streams, consumers: info.consumers, limits: limitsOf(info) },
    streamNames: listed,
    failing,
    ...defined({ unheld }),
    domains,
  };
}

/** Whether a stream can answer: if a server is away and no other holds the stream, nothing answers. */
const mayAnswer = (stream: string, holdings: Wanted["holdings"]): boolean =>
  holdings === undefined || holdings.away === "none" || holdings.held.has(stream);

async function accountInfo(
  ask: AskApi,
  mayHave: boolean,
): Promise<JetStreamInfo | Exclude<AccountView["jetstream"], "enabled">> {
  // If the account should have JetStream, silence is not an answer yet.
  const answer = await askTwice(() => ask(INFO), mayHave);
  if (answer.state === "done") return read(jetStreamInfo, answer.body, INFO);
  if (answer.state === "refused" && answer.code === NOT_ENABLED) return "disabled";
  if (answer.state === "refused" && answer.code === ACCOUNT_NOT_FOUND) return "account_not_found";
  // With a leafnode attached, a server without JetStream for the account does not answer at all.
  if (answer.state === "silent" && !mayHave) return "disabled";
  throw new RelightError("nats.timeout", `${INFO}: ${answer.reason}`);
}

/** With tiers the server also sends a flat total, but its limits are zero and meaningless. */
function limitsOf(info: JetStreamInfo): AccountView["info"]["limits"] {
  const tiers: Readonly<Record<string, JetStreamUsage>> = info.tiers ?? { flat: info };
  return Object.fromEntries(Object.entries(tiers).map(([tier, usage]) => [tier, roomOf(usage)]));
}

function roomOf({ memory, storage, streams, limits }: JetStreamUsage): LimitsRoom {
  return {
    streams,
    memory: { used: memory, limit: limits.max_memory },
    file: { used: storage, limit: limits.max_storage },
  };
}

/**
 * Streams whose requests failed. A listed stream that is not found may have been deleted meanwhile, so list them again.
 * @param silent streams that no server holds, or without a Raft node: their silence is no surprise, so they are asked once
 */
async function failuresOf(
  askApi: AskApi,
  listed: readonly string[],
  silent: ReadonlySet<string>,
  listAgain: () => Promise<ReadonlySet<string>>,
): Promise<AccountView["failing"]> {
  const ask = async (names: readonly string[]): Promise<AccountView["failing"]> => {
    const failures = await pMap(names, (name) => failureOf(askApi, name, silent.has(name)), {
      concurrency: INFOS_AT_ONCE,
    });
    return failures.filter((failure) => failure !== undefined);
  };
  const failing = await ask(listed);
  const missing = failing.filter(({ notFound }) => notFound).map(({ stream }) => stream);
  if (missing.length === 0) return failing;
  const still = await listAgain();
  const again = await ask(missing.filter((stream) => still.has(stream)));
  return [...failing.filter(({ notFound }) => !notFound), ...again];
}

async function failureOf(
  ask: AskApi,
  stream: string,
  isSilent: boolean,
): Promise<AccountView["failing"][number] | undefined> {
  try {
    const answer = await askTwice(() => ask(`$JS.API.STREAM.INFO.${stream}`), !isSilent);
    if (answer.state === "done") return undefined;
    const notFound = answer.state === "refused" && answer.code === STREAM_NOT_FOUND;
    return { stream, notFound, message: answer.reason };
  } catch (thrown) {
    return { stream, notFound: false, message: asRelightError(thrown).message };
  }
}

/** Repeats a question once if an answer did not come in time although something may listen. Questions only read. */
async function askTwice(question: () => Promise<ApiAnswer>, repeats: boolean): Promise<ApiAnswer> {
  const answer = await question();
  return repeats && answer.state === "silent" && !answer.unheard ? question() : answer;
}
