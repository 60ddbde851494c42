import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { lt } from "semver";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { RunningAccount } from "../../../domain/observation/observation.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { DecodedJwt, JwtCodec } from "../../../ports/keys.ts";
import type { ListedJwt, PushReply, Resolver } from "../../../ports/resolver.ts";
import { envelope, listAnswer, pushAnswer, read, type ServerInfo } from "../connection/answers.ts";
import { gather, gatherOnce, isNoResponders, readJson, silence } from "../connection/asking.ts";
import { isFragment } from "./jwt-codec.ts";
import type { KindOf } from "./resolver-kinds.ts";
import { attempt, runningAccounts, unreadable } from "./running-accounts.ts";
import { type WholeListSettings, wholeList } from "./whole-list.ts";

export interface ResolverSettings {
  readonly connection: NatsConnection;
  readonly codec: JwtCodec;
  readonly timeout: Millis;
  /** The servers that must answer, discovered once per run. */
  servers(): Promise<readonly ServerInfo[]>;
  readonly kindOf: KindOf;
}

/** From this version on a server answers a lookup even if it lacks the account. 2.9.10 stays silent, 2.9.25 answers. */
const ANSWERS_IF_ABSENT = "2.10.0";
/** How long to wait for an older server: enough to ask twice, or once if the list of names is at hand. */
const LOOKUP_TIMEOUT = millis(3_000);
const LOOKUP_TIMEOUT_WITH_LIST = millis(1_000);
/** How long to wait for further answers after one. */
const OTHERS_ANSWER = millis(500);
/** How long the list of all accounts is valid for the lookups of one run; milliseconds. */
const LIST_SERVES = 5 * 60_000;

/** The servers' resolvers, of any kind, through their `$SYS.REQ.CLAIMS.*` and `$SYS.REQ.ACCOUNT.*.CLAIMS.*` subjects. */
export function natsResolver(settings: ResolverSettings): Resolver {
  const { codec } = settings;
  const names = listedNames(settings);

  async function lookup(account: AccountId): Promise<DecodedJwt | undefined> {
    return newestOf(account, await storedTokens(settings, names, account, OTHERS_ANSWER), codec);
  }

  /** Any server's, because there may be thousands to look up. */
  async function lookupAny(account: AccountId): Promise<DecodedJwt | undefined> {
    return newestOf(account, await storedTokens(settings, names, account, millis(0)), codec);
  }

  async function running(account: AccountId): Promise<readonly RunningAccount[]> {
    const answers = await askEvery(settings, `$SYS.REQ.ACCOUNT.${account}.INFO`, "", gather);
    return runningAccounts(answers, account, codec);
  }

  async function push(token: string): Promise<readonly PushReply[]> {
    // The list is outdated after a push.
    names.forget();
    // The body must be only the JWT, without headers. Send it once, because a late repetition could undo a newer push.
    const answers = await askEvery(settings, await pushSubject(settings, token), token, gatherOnce).catch(noResolver);
    const replies = answers.map(pushReply);
    const rejected = replies.filter(({ accepted }) => !accepted);
    if (rejected.length === 0) return replies;
    const reasons = rejected.map(({ server, message }) => `${server}: ${message}`).join("; ");
    throw new RelightError("push.rejected", `servers rejected the JWT: ${reasons}`, {
      details: { rejected: rejected.map(({ server }) => server) },
    });
  }

  async function* list(): AsyncIterable<ListedJwt> {
    try {
      yield* wholeList({ ...settings, holders: await answering(settings), lookup: lookupAny });
    } catch (thrown) {
      noResolver(thrown);
    }
  }

  return { list, lookup, running, push };
}

/**
 * The newest of what the servers hold of the account. Each has a copy of its own, and one whose folder can't be written
 * keeps an older one, or a part of one if its disk was full: that is as if it had none.
 * @throws RelightError `claims.unreadable` if a server may accept what Relight can't read
 */
function newestOf(account: AccountId, tokens: readonly string[], codec: JwtCodec): DecodedJwt | undefined {
  const read = [...new Set(tokens)].filter((token) => !isFragment(token)).map((token) => attempt(codec, token));
  const unread = read.find((one) => !one.ok);
  if (unread?.ok === false) throw unreadable(account, { what: "the resolver holds", problem: unread.message });
  return read
    .flatMap((one) => (one.ok ? [one.value] : []))
    .reduce<DecodedJwt | undefined>(
      (best, next) => (best === undefined || next.document.claims.iat > best.document.claims.iat ? next : best),
      undefined,
    );
}

/**
 * The account's JWT as each server's resolver holds it; none if there is none. Since 2.10 every server with a resolver
 * answers, so no answer at all means unknown. If older servers or servers without a resolver are silent, the list of all
 * accounts decides. It is requested once per run, because requesting it for each account would overload slow servers.
 */
async function storedTokens(
  settings: ResolverSettings,
  names: ListedNames,
  account: AccountId,
  othersAnswer: Millis,
): Promise<readonly string[]> {
  const { connection, timeout } = settings;
  const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`;
  const servers = await answering(settings);
  const mayNotAnswer = servers.some(({ ver }) => lt(ver, ANSWERS_IF_ABSENT));
  const timeLimit = names.atHand() ? LOOKUP_TIMEOUT_WITH_LIST : LOOKUP_TIMEOUT;
  const bound = mayNotAnswer ? millis(Math.min(timeLimit, timeout)) : timeout;
  const enough = (answers: readonly Msg[]): boolean => answers.length >= servers.length;
  // An empty answer says only that this server has none.
  const isEnough = (answers: readonly Msg[]): boolean =>
    answers.length > 0 && (othersAnswer > 0 || answers.some(hasData));
  const unlessMore = { enough: isEnough, pause: othersAnswer };
  const answers = await gather(connection, subject, "", { timeout: bound, enough, unlessMore }).catch(noResolver);
  const tokens = answers.filter(hasData).map((answer) => answer.string());
  if (tokens.length > 0 || (answers.length > 0 && enough(answers))) return tokens;
  const isUnknown = answers.length === 0 && !mayNotAnswer;
  if (isUnknown || (await names.all()).has(account)) throw silence(subject, bound);
  return [];
}

const hasData = ({ data }: Msg): boolean => data.length > 0;

/** The ids of all accounts in any server's resolver, requested at first use. */
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

/** Requires at least one answer, because servers without a NATS-based resolver do not answer. */
async function listNames(settings: ResolverSettings): Promise<ReadonlySet<string>> {
  const { connection, timeout } = settings;
  const subject = "$SYS.REQ.CLAIMS.LIST";
  const expected = new Set((await answering(settings)).map(({ id }) => id));
  const lists = (all: readonly Msg[]) =>
    all
      .map((answer) => read(listAnswer, readJson(answer), "CLAIMS.LIST"))
      .filter(({ server }) => expected.has(server.id));
  const enough = (all: readonly Msg[]): boolean => lists(all).length >= expected.size;
  const found = lists(await gather(connection, subject, "", { timeout, enough }).catch(noResolver));
  if (found.length === 0) throw new RelightError("nats.timeout", `no answer to ${subject} within ${timeout} ms`);
  return new Set(found.flatMap(({ data }) => data ?? []));
}

/** The servers that answer lookups. A cache lists what it once loaded, even if the account was deleted since. */
async function answering({ servers, kindOf }: ResolverSettings): Promise<WholeListSettings["holders"]> {
  const kinds = await Promise.all((await servers()).map(async (server) => ({ server, kind: await kindOf(server) })));
  return kinds.flatMap(({ server, kind }) =>
    kind === undefined || kind === "full" ? [{ ...server, isCertain: kind === "full" }] : [],
  );
}

/**
 * Servers with a MEMORY or URL resolver take a JWT only on the subject of its account, and only if they have it loaded. The
 * others take it there, too, but tools that follow pushes listen on the common subject.
 */
async function pushSubject({ servers, kindOf, codec }: ResolverSettings, token: string): Promise<string> {
  const kinds = await Promise.all((await servers()).map(kindOf));
  if (!kinds.includes("memory-or-url")) return "$SYS.REQ.CLAIMS.UPDATE";
  return `$SYS.REQ.ACCOUNT.${codec.decode(token).document.claims.sub}.CLAIMS.UPDATE`;
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

function pushReply(message: Msg): PushReply {
  const { server, data, error } = read(pushAnswer, readJson(message), "CLAIMS.UPDATE");
  const accepted = error === undefined && data?.code === 200;
  return { server: server.name, accepted, message: error?.description ?? data?.message ?? "no reason given" };
}

function noResolver(error: unknown): never {
  if (!isNoResponders(error)) throw error;
  throw new RelightError("nats.no_resolver", "no server has a full resolver, so none can be asked for its JWTs", {
    cause: error,
  });
}
