import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { AccountId } from "../../domain/account.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { RunningAccount } from "../../domain/observation.ts";
import { type Millis, millis } from "../../domain/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { DecodedJwt, JwtCodec, ListedJwt, PushReply, Resolver } from "../../ports.ts";
import { accountInfo, envelope, listAnswer, pushAnswer, read, type ServerInfo } from "./answers.ts";
import { ask, gather, isNoResponders, readJson } from "./connection.ts";

export interface ResolverSettings {
  readonly connection: NatsConnection;
  readonly codec: JwtCodec;
  readonly timeout: Millis;
  /** The servers that must answer, found once per run. */
  servers(): Promise<readonly ServerInfo[]>;
}

/** Up to 2.9 a server that lacks the account does not answer a look-up at all; don't wait long for that. */
const LOOKUP_PATIENCE = millis(1_000);

/** The NATS-based resolver, spoken to over its `$SYS.REQ.CLAIMS.*` subjects. */
export function natsResolver(settings: ResolverSettings): Resolver {
  const { connection, codec, timeout } = settings;

  async function lookup(account: AccountId): Promise<DecodedJwt | undefined> {
    const token = await lookupToken(settings, account);
    if (token === "") return undefined;
    const decoded = attempt(codec, token);
    if (decoded.ok) return decoded.value;
    throw unreadable(account, { what: "the resolver holds", problem: decoded.message });
  }

  async function running(account: AccountId): Promise<readonly RunningAccount[]> {
    const answers = await askEvery(settings, `$SYS.REQ.ACCOUNT.${account}.INFO`, "");
    return runningAccounts(answers, account, codec);
  }

  async function push(token: string): Promise<readonly PushReply[]> {
    // The body must be the bare JWT, without headers.
    const answers = await askEvery(settings, "$SYS.REQ.CLAIMS.UPDATE", token).catch(noResolver);
    const replies = answers.map(pushReply);
    const rejected = replies.filter(({ accepted }) => !accepted);
    if (rejected.length === 0) return replies;
    const reasons = rejected.map(({ server, message }) => `${server}: ${message}`).join("; ");
    throw new RelightError("push.rejected", `the JWT was rejected by ${reasons}`, {
      details: { rejected: rejected.map(({ server }) => server) },
    });
  }

  /**
   * One server answers (`$SYS.REQ.CLAIMS.PACK` is served by a queue group), so no account comes twice. It sends
   * everything at once and can't be told to wait: what was not taken yet is held as it came, undecoded, which is one
   * to two kilobytes for each account that the caller is behind by.
   */
  async function* list(): AsyncIterable<ListedJwt> {
    const replies = await connection
      .requestMany("$SYS.REQ.CLAIMS.PACK", "", { strategy: "timer", maxWait: timeout * 6 })
      .catch(noResolver);
    for await (const reply of replies) {
      // One message per account, then an empty one: without that the list is not whole.
      if (reply.data.length === 0) return;
      yield listed(reply.string(), codec);
    }
    throw new RelightError("nats.timeout", "the resolver's list of accounts broke off before its end");
  }

  return { list, lookup, running, push };
}

async function lookupToken(settings: ResolverSettings, account: AccountId): Promise<string> {
  const { connection, timeout } = settings;
  const patience = millis(Math.min(LOOKUP_PATIENCE, timeout));
  const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`;
  try {
    const token = (await ask(connection, subject, "", patience)).string();
    // From 2.10 a server without the account answers with an empty body, and may be faster than those that have it.
    return token === "" ? await lookupEverywhere(settings, subject, patience) : token;
  } catch (error) {
    if (isNoResponders(error)) noResolver(error);
    if (!(error instanceof RelightError) || error.code !== "nats.timeout") throw error;
    if (await isListed(settings, account)) throw error;
    return "";
  }
}

/** What any server holds; empty once all have said that they hold nothing, or nobody says more. */
async function lookupEverywhere(
  { connection, servers }: ResolverSettings,
  subject: string,
  timeout: Millis,
): Promise<string> {
  const { length: expected } = await servers();
  const holds = (answer: Msg): boolean => answer.data.length > 0;
  const enough = (all: readonly Msg[]): boolean => all.length >= expected || all.some(holds);
  const answers = await gather(connection, subject, "", { timeout, enough });
  return answers.find(holds)?.string() ?? "";
}

/** Tells "the resolver has it not" from "the resolver did not answer". */
async function isListed({ connection, timeout }: ResolverSettings, account: AccountId): Promise<boolean> {
  const answer = await ask(connection, "$SYS.REQ.CLAIMS.LIST", "", timeout).catch(noResolver);
  return (read(listAnswer, readJson(answer), "CLAIMS.LIST").data ?? []).includes(account);
}

async function askEvery(settings: ResolverSettings, subject: string, body: string): Promise<readonly Msg[]> {
  const { connection, timeout } = settings;
  const expected = await settings.servers();
  const enough = (answers: readonly Msg[]): boolean => answers.length >= expected.length;
  const answers = await gather(connection, subject, body, { timeout, enough });
  if (enough(answers)) return answers;
  const answered = new Set(answers.map((answer) => read(envelope, readJson(answer), subject).server.name));
  const silent = expected.map(({ name }) => name).filter((name) => !answered.has(name));
  throw new RelightError(
    "nats.timeout",
    `${answers.length} of ${expected.length} servers answered ${subject} within ${timeout} ms; silent: ${silent.join(", ")}`,
    { details: { silent } },
  );
}

function listed(line: string, codec: JwtCodec): ListedJwt {
  const [account = "", token = ""] = line.split("|");
  const decoded = attempt(codec, token);
  // One bad file in the resolver must not hide all the others.
  return decoded.ok ? { ok: true, jwt: decoded.value } : { ok: false, account, problem: decoded.message };
}

type Attempt =
  | { readonly ok: true; readonly value: DecodedJwt }
  | { readonly ok: false; readonly message: string };

function attempt(codec: JwtCodec, token: string): Attempt {
  try {
    return { ok: true, value: codec.decode(token) };
  } catch (thrown) {
    return { ok: false, message: asRelightError(thrown).message };
  }
}

/** To a server it is one. */
const NO_JWT = "this is not an account JWT: ";

/** Servers take claims that Relight does not read: then all that is known of the account is what they say themselves. */
function unreadable(
  account: AccountId,
  { what, problem, ...details }: { what: string; problem: string; expiredOn?: readonly string[] },
): RelightError {
  const expired = details.expiredOn?.length
    ? `; ${details.expiredOn.join(", ")} refuse its clients: they are over, or somebody deleted it (then add --undelete)`
    : "";
  const message = `${what} claims of account ${account} that Relight can't read: ${problem.replace(NO_JWT, "")}${expired}`;
  return new RelightError("claims.unreadable", message, { details: { account, expiredOn: [], ...details } });
}

/** @throws RelightError `claims.unreadable` if any server runs such claims, and who of them calls them expired. */
function runningAccounts(
  answers: readonly Msg[],
  account: AccountId,
  codec: JwtCodec,
): readonly RunningAccount[] {
  const found = answers.map((answer) => runningAccount(answer, account, codec));
  const bad = found.filter((entry): entry is Unread => "problem" in entry);
  const [first] = bad;
  if (first === undefined) return found as readonly RunningAccount[];
  const what = `${bad.map(({ server }) => server).join(", ")} ${bad.length === 1 ? "runs" : "run"}`;
  const expiredOn = found.flatMap((entry) => ("expired" in entry && entry.expired ? [entry.server] : []));
  throw unreadable(account, { what, problem: first.problem, expiredOn });
}

interface Unread {
  readonly server: string;
  readonly expired: boolean;
  readonly problem: string;
}

function runningAccount(message: Msg, account: AccountId, codec: JwtCodec): RunningAccount | Unread {
  const { server, data, error } = read(envelope, readJson(message), "ACCOUNT.INFO");
  if (error?.description.includes("does not exist")) return { server: server.name, loaded: false };
  if (error !== undefined)
    throw new RelightError(
      "nats.bad_answer",
      `ACCOUNT.INFO of ${account} on ${server.name}: ${error.description}`,
    );
  const info = read(accountInfo, data, `ACCOUNT.INFO of ${account} on ${server.name}`);
  const { expired, jetstream_enabled: jetstream, jwt } = info;
  // `decoded_jwt` went through Go's types and proves what the server reads; the raw JWT keeps what those don't know.
  if (jwt === undefined)
    throw new RelightError("nats.bad_answer", `${server.name} runs account ${account} without a JWT`);
  const own = attempt(codec, jwt);
  if (!own.ok) return { server: server.name, expired, problem: own.message };
  const decoded = info.decoded_jwt === undefined ? {} : { decoded: info.decoded_jwt as JsonObject };
  const { document, signatureValid } = own.value;
  return { server: server.name, loaded: true, expired, jetstream, document, signatureValid, ...decoded };
}

function pushReply(message: Msg): PushReply {
  const { server, data, error } = read(pushAnswer, readJson(message), "CLAIMS.UPDATE");
  const accepted = error === undefined && data?.code === 200;
  return { server: server.name, accepted, message: error?.description ?? data?.message ?? "no reason given" };
}

function noResolver(error: unknown): never {
  if (!isNoResponders(error)) throw error;
  throw new RelightError("nats.no_resolver", "no server has a NATS-based resolver", { cause: error });
}
