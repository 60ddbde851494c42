import type { NatsConnection } from "@nats-io/transport-node";
import type { AccountId } from "../../../domain/claims/account.ts";
import { defined } from "../../../domain/time/defined.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import {
  type AccountDetail,
  apiNames,
  connz,
  type HeldSubscription,
  jsz,
  type LeafDetail,
  leafz,
  read,
  readData,
  subsz,
} from "../connection/answers.ts";
import { ask, readJson } from "../connection/asking.ts";

/**
 * The lists that a server may cut: all of them are read here, and each is given whole or not at all. What is not in a
 * cut list may be all the same, so that nothing can be said of it.
 */

/** Puts one question with this body, and gives the answer's body. @throws RelightError `nats.*` */
export type AskPage = (body: JsonObject) => Promise<JsonObject>;

/** Whom to ask: a server as the system account, or JetStream's API as an account. */
export interface ListSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
}

/** How the system account asks one server. */
export const askingServer =
  ({ connection, timeout }: ListSettings, server: string, what: string): AskPage =>
  async (body) =>
    readJson(await ask(connection, `$SYS.REQ.SERVER.${server}.${what}`, JSON.stringify(body), timeout));

/** How an account asks JetStream's API. */
export const askingApi =
  ({ connection, timeout }: ListSettings, subject: string): AskPage =>
  async (body) =>
    readJson(await ask(connection, subject, JSON.stringify(body), timeout));

/** Most servers cut their lists here, unless told otherwise. */
const PAGE = 1024;
/** Accounts in one answer: a server with thousands of them should not send one of many megabytes. */
const ACCOUNTS_PAGE = 256;
/** A list that changes while it is read is read again, so often. */
const ROUNDS = 4;
/** More subscriptions than this, a hundred bytes each, are not asked for in one answer. */
const MOST_SUBSCRIPTIONS = 262_144;

/**
 * Subscriptions of the account's own on one server, its internal ones included.
 *
 * A server lists them in another order each time, so that pages do not fit together; and before 2.11.6 its `total` is no
 * more than what this page holds (ran: 2.9.10, 2.10.27). So they are asked for in one answer, with more room until some
 * of it stays empty.
 * @param test only those that match this subject, which has no wildcards.
 * @param most room for so many at most.
 * @throws RelightError `nats.list_cut` if there are more.
 */
export async function accountSubscriptions(
  askSubsz: AskPage,
  account: AccountId,
  { test, most = MOST_SUBSCRIPTIONS }: { readonly test?: string; readonly most?: number } = {},
): Promise<readonly HeldSubscription[]> {
  const only = defined({ test });
  for (let limit = Math.min(most, 4 * PAGE); ; limit = Math.min(most, limit * 8)) {
    const body = { account, subscriptions: true, ...only, offset: 0, limit };
    const page = readData(subsz, await askSubsz(body), "SUBSZ");
    const { subscriptions_list: found, total = 0, limit: granted = limit } = page;
    if (found.length < Math.min(limit, granted) && total <= found.length) return found;
    if (limit >= most || granted < limit)
      throw cut("SUBSZ", `the server holds ${Math.max(total, found.length)} subscriptions or more`);
  }
}

/** Ids of the account's client connections on one server, those that closed lately included. */
export async function accountConnections(
  askConnz: AskPage,
  account: AccountId,
): Promise<ReadonlySet<number>> {
  const found = await paged("CONNZ", async (offset) => {
    const body = { acc: account, state: OPEN_AND_CLOSED, limit: PAGE, offset };
    const { connections, total } = readData(connz, await askConnz(body), "CONNZ");
    return { items: connections.map(({ cid }) => [cid, cid] as const), total };
  });
  return new Set(found.keys());
}

/** `ConnAll` of the server's monitoring: connections that are open and those lately closed. */
const OPEN_AND_CLOSED = 2;

/**
 * Every account that has JetStream on one server. Before 2.10.28 and 2.11.2 the first page is not sorted and the others
 * are, so that pages may miss some (read in monitor.go, `Jsz`): what misses some is asked for in one answer.
 * @param more what is wanted of each.
 */
export async function jetStreamAccounts(
  askJsz: AskPage,
  more: JsonObject,
): Promise<readonly AccountDetail[]> {
  const pageAt = async (offset: number, limit: number): Promise<Page<string, AccountDetail>> => {
    const answer = await askJsz({ ...more, accounts: true, limit, offset });
    const { account_details: details, accounts: total = 0 } = readData(jsz, answer, "JSZ");
    return { items: (details ?? []).map((detail) => [detail.id, detail] as const), total };
  };
  const pages = await pagesOf((offset) => pageAt(offset, ACCOUNTS_PAGE));
  if (isWhole(pages)) return [...pages.found.values()];
  const room = pages.total + ACCOUNTS_PAGE;
  const found = await paged("JSZ", (offset) => pageAt(offset, room));
  return [...found.values()];
}

/** What one account has on one server; undefined where it has no JetStream there. */
export async function jetStreamAccount(
  askJsz: AskPage,
  account: AccountId,
  more: JsonObject,
): Promise<AccountDetail | undefined> {
  // A server that has not this one lists all others instead, up to the limit.
  const answer = await askJsz({ ...more, account, limit: 1 });
  return readData(jsz, answer, "JSZ").account_details?.find(({ id }) => id === account);
}

/** The leafnode connections of one server, of one account or of all. Servers don't cut this list, and count it. */
export async function leafConnectionsOf(
  askLeafz: AskPage,
  account?: AccountId,
): Promise<readonly LeafDetail[]> {
  const answer = await askLeafz(defined({ account }));
  const { leafs, leafnodes = 0 } = readData(leafz, answer, "LEAFZ");
  const found = leafs ?? [];
  if (found.length >= leafnodes) return found;
  throw cut("LEAFZ", `${found.length} of ${leafnodes} were listed`);
}

/** The names of the account's streams, as the cluster's metadata has them. */
export const streamNames = (settings: ListSettings): Promise<ReadonlySet<string>> =>
  namesOf(settings, "STREAM.NAMES", STREAM_NAMES);

/** The names of a stream's consumers, as the cluster's metadata has them. */
export const consumerNames = (settings: ListSettings, stream: string): Promise<ReadonlySet<string>> =>
  namesOf(settings, "CONSUMER.NAMES", consumerNamesSubject(stream));

/** What a user must be allowed to ask for these lists. */
const STREAM_NAMES = "$JS.API.STREAM.NAMES";
export const consumerNamesSubject = (stream: string): string => `$JS.API.CONSUMER.NAMES.${stream}`;

async function namesOf(settings: ListSettings, what: string, subject: string): Promise<ReadonlySet<string>> {
  const askApi = askingApi(settings, subject);
  const found = await paged(what, async (offset) => {
    const { streams, consumers, total } = read(apiNames, await askApi({ offset }), what);
    const names = streams ?? consumers ?? [];
    return { items: names.map((name) => [name, name] as const), total };
  });
  return new Set(found.keys());
}

/** One page of a list, and how long the server says that the whole list is. */
interface Page<K, T> {
  readonly items: readonly (readonly [K, T])[];
  readonly total: number;
}

interface Pages<K, T> {
  readonly found: ReadonlyMap<K, T>;
  readonly total: number;
  /** Whether the list was another one by the time that a further page was read. */
  readonly moved: boolean;
}

const isWhole = <K, T>({ found, total, moved }: Pages<K, T>): boolean => !moved && found.size >= total;

/**
 * Reads a list that keeps its order, page by page, as a whole. What comes and goes meanwhile moves the others from one
 * page to the next, so that one may be missed: then it is read again.
 * @throws RelightError `nats.list_cut`
 */
async function paged<K, T>(
  what: string,
  pageAt: (offset: number) => Promise<Page<K, T>>,
): Promise<ReadonlyMap<K, T>> {
  let pages = await pagesOf(pageAt);
  for (let round = 1; round < ROUNDS && !isWhole(pages); round++) pages = await pagesOf(pageAt);
  if (isWhole(pages)) return pages.found;
  throw cut(what, pages.moved ? MOVED : `${pages.found.size} of ${pages.total} were listed`);
}

const MOVED = "it changed each time that it was read";

/** Each page begins with the last of the one before: if it does not, something between them may be missed. */
async function pagesOf<K, T>(pageAt: (offset: number) => Promise<Page<K, T>>): Promise<Pages<K, T>> {
  const first = await pageAt(0);
  const found = new Map(first.items);
  let { total } = first;
  let [last] = first.items.at(-1) ?? [];
  for (let read = first.items.length; read < total && last !== undefined; ) {
    const { items, total: now } = await pageAt(read - 1);
    total = now;
    if (items[0]?.[0] !== last) return { found, total, moved: true };
    if (items.length === 1) break;
    for (const [key, item] of items) found.set(key, item);
    read += items.length - 1;
    [last] = items.at(-1) ?? [];
  }
  return { found, total, moved: false };
}

function cut(what: string, why: string): RelightError {
  return new RelightError("nats.list_cut", `the server's list ${what} is not whole: ${why}`);
}
