import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { lt } from "semver";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { RunningAccount } from "../../../domain/observation/observation.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { DecodedJwt, JwtCodec } from "../../../ports/keys.ts";
import type { ListedJwt, PushReply, Resolver } from "../../../ports/resolver.ts";
import { envelope, listAnswer, pushAnswer, read, type ServerInfo } from "../connection/answers.ts";
import {
  ask,
  gather,
  gatherOnce,
  isNoResponders,
  lost,
  readJson,
  requestError,
} from "../connection/asking.ts";
import { attempt, runningAccounts, unreadable } from "./running-accounts.ts";

export interface ResolverSettings {
  readonly connection: NatsConnection;
  readonly codec: JwtCodec;
  readonly timeout: Millis;
  /** The servers that must answer, found once per run. */
  servers(): Promise<readonly ServerInfo[]>;
}

/** The first version that says so if it lacks an account; a server before it does not answer a look-up then. */
const SAYS_NO = "2.10.0";
/** So long such a server is waited for: time to ask it twice, and for a list at hand to ask it once. */
const LOOKUP_PATIENCE = millis(3_000);
const LOOKUP_PATIENCE_WITH_LIST = millis(1_000);
/** A list may pause for so many times the time for an answer: its server sends thousands of JWTs beside all else. */
const LIST_PAUSE = 3;
/** How often it is asked for, if it breaks off. */
const LIST_TRIES = 2;
/** How long the list of all accounts serves the look-ups of one run; milliseconds. */
const LIST_SERVES = 5 * 60_000;

/** The NATS-based resolver, spoken to over its `$SYS.REQ.CLAIMS.*` subjects. */
export function natsResolver(settings: ResolverSettings): Resolver {
  const { connection, codec, timeout } = settings;
  const names = listedNames(settings);

  async function lookup(account: AccountId): Promise<DecodedJwt | undefined> {
    const token = await lookupToken(settings, names, account);
    if (token === "") return undefined;
    const decoded = attempt(codec, token);
    if (decoded.ok) return decoded.value;
    throw unreadable(account, { what: "the resolver holds", problem: decoded.message });
  }

  async function running(account: AccountId): Promise<readonly RunningAccount[]> {
    const answers = await askEvery(settings, `$SYS.REQ.ACCOUNT.${account}.INFO`, "", gather);
    return runningAccounts(answers, account, codec);
  }

  async function push(token: string): Promise<readonly PushReply[]> {
    // What was listed before is not what there is now.
    names.forget();
    // The body must be the bare JWT, without headers. It is put once: a later push must not be undone by an earlier one.
    const answers = await askEvery(settings, "$SYS.REQ.CLAIMS.UPDATE", token, gatherOnce).catch(noResolver);
    const replies = answers.map(pushReply);
    const rejected = replies.filter(({ accepted }) => !accepted);
    if (rejected.length === 0) return replies;
    const reasons = rejected.map(({ server, message }) => `${server}: ${message}`).join("; ");
    throw new RelightError("push.rejected", `the JWT was rejected by ${reasons}`, {
      details: { rejected: rejected.map(({ server }) => server) },
    });
  }

  /**
   * The server sends everything at once, can't be told to wait, and closes the connection of a client that does not read
   * for ten seconds. So all of it is taken before the first account is given, whose jobs may be busy for longer: it is held
   * as it came, undecoded, which is one to two kilobytes for each account.
   */
  async function* list(): AsyncIterable<ListedJwt> {
    const lines = await pack({ connection, timeout });
    for (let line = lines.pop(); line !== undefined; line = lines.pop()) yield listed(line, codec);
  }

  return { list, lookup, running, push };
}

/**
 * The lines of the resolver's list, the last first. One server answers (`$SYS.REQ.CLAIMS.PACK` is served by a queue group),
 * so no account comes twice.
 * @throws RelightError `nats.no_resolver`, `nats.timeout`, `nats.connection_lost`
 */
async function pack({
  connection,
  timeout,
}: Pick<ResolverSettings, "connection" | "timeout">): Promise<string[]> {
  const subject = "$SYS.REQ.CLAIMS.PACK";
  const pause = millis(timeout * LIST_PAUSE);
  for (let left = LIST_TRIES; left > 0; left--) {
    const lines: string[] = [];
    let isWhole = false;
    try {
      const options = { strategy: "stall", maxWait: pause, stall: pause } as const;
      for await (const reply of await connection.requestMany(subject, "", options)) {
        // One message per account, then an empty one: without that the list is not whole.
        isWhole = reply.data.length === 0;
        if (isWhole) break;
        lines.push(reply.string());
      }
    } catch (cause) {
      noResolver(requestError(cause, connection, subject, pause));
    }
    if (isWhole) return lines.reverse();
    if (connection.isClosed()) throw lost(subject);
  }
  throw new RelightError("nats.timeout", "the resolver's list of accounts broke off before its end");
}

/**
 * What the resolver holds of an account; empty where it holds nothing. From 2.10 every server with a resolver says so, and
 * one that does not answer is unknown, never a no. What servers before that don't answer, and those without a resolver,
 * the list of all accounts tells: it is asked for once per run, since a server that is slow to answer would be slower
 * still if each look asked for everything.
 */
async function lookupToken(
  settings: ResolverSettings,
  names: ListedNames,
  account: AccountId,
): Promise<string> {
  const { connection, timeout } = settings;
  const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`;
  const mayBeMute = (await settings.servers()).some(({ ver }) => lt(ver, SAYS_NO));
  const patience = names.atHand() ? LOOKUP_PATIENCE_WITH_LIST : LOOKUP_PATIENCE;
  const bound = mayBeMute ? millis(Math.min(patience, timeout)) : timeout;
  try {
    const token = (await ask(connection, subject, "", bound)).string();
    return token === "" ? await lookupEverywhere(settings, names, account, subject) : token;
  } catch (error) {
    if (isNoResponders(error)) noResolver(error);
    if (!mayBeMute || !(error instanceof RelightError) || error.code !== "nats.timeout") throw error;
    if ((await names.all()).has(account)) throw error;
    return "";
  }
}

/** A server that lacks an account may be faster to say so than those that have it. */
async function lookupEverywhere(
  { connection, servers, timeout }: ResolverSettings,
  names: ListedNames,
  account: AccountId,
  subject: string,
): Promise<string> {
  const { length: expected } = await servers();
  const holds = (answer: Msg): boolean => answer.data.length > 0;
  const enough = (all: readonly Msg[]): boolean => all.length >= expected || all.some(holds);
  const patience = millis(Math.min(LOOKUP_PATIENCE_WITH_LIST, timeout));
  // Such answers don't say whose they are, so that those of two questions could not be told apart.
  const answers = await gatherOnce(connection, subject, "", { timeout: patience, enough });
  const token = answers.find(holds)?.string() ?? "";
  if (token !== "" || answers.length >= expected || !(await names.all()).has(account)) return token;
  throw new RelightError("nats.timeout", `the resolver lists ${account}, and no server gives its JWT`);
}

/** The ids of all accounts that any server's resolver holds, listed when they are first asked for. */
interface ListedNames {
  atHand(): boolean;
  /** @throws RelightError `nats.timeout` if no server listed them. */
  all(): Promise<ReadonlySet<string>>;
  forget(): void;
}

function listedNames(settings: ResolverSettings): ListedNames {
  let listed: { readonly at: number; readonly ids: Promise<ReadonlySet<string>> } | undefined;
  const atHand = (): boolean => listed !== undefined && performance.now() - listed.at < LIST_SERVES;
  const forget = (): void => {
    listed = undefined;
  };
  const all = (): Promise<ReadonlySet<string>> => {
    if (listed !== undefined && atHand()) return listed.ids;
    const ids = listNames(settings);
    ids.catch(forget);
    listed = { at: performance.now(), ids };
    return ids;
  };
  return { atHand, all, forget };
}

/** Servers without a NATS-based resolver don't answer, so that their silence says nothing: one answer is needed. */
async function listNames({ connection, servers, timeout }: ResolverSettings): Promise<ReadonlySet<string>> {
  const subject = "$SYS.REQ.CLAIMS.LIST";
  const { length: expected } = await servers();
  const enough = (all: readonly Msg[]): boolean => all.length >= expected;
  const answers = await gather(connection, subject, "", { timeout, enough }).catch(noResolver);
  if (answers.length === 0)
    throw new RelightError("nats.timeout", `no answer to ${subject} within ${timeout} ms`);
  return new Set(answers.flatMap((answer) => read(listAnswer, readJson(answer), "CLAIMS.LIST").data ?? []));
}

async function askEvery(
  settings: ResolverSettings,
  subject: string,
  body: string,
  asking: typeof gather,
): Promise<readonly Msg[]> {
  const { connection, timeout } = settings;
  const expected = await settings.servers();
  const enough = (answers: readonly Msg[]): boolean => answers.length >= expected.length;
  const answers = await asking(connection, subject, body, { timeout, enough });
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

function pushReply(message: Msg): PushReply {
  const { server, data, error } = read(pushAnswer, readJson(message), "CLAIMS.UPDATE");
  const accepted = error === undefined && data?.code === 200;
  return { server: server.name, accepted, message: error?.description ?? data?.message ?? "no reason given" };
}

function noResolver(error: unknown): never {
  if (!isNoResponders(error)) throw error;
  throw new RelightError("nats.no_resolver", "no server has a NATS-based resolver", { cause: error });
}
