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
 * Lists that a server may truncate. Each is returned complete or not at all, because something missing from a truncated
 * list may exist.
 */

/** Sends a request with this body and returns the answer's body. @throws RelightError `nats.*` */
export type AskPage = (body: JsonObject) => Promise<JsonObject>;

/** Where to send requests: to a server as the system account, or to JetStream's API as an account. */
export interface ListSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
}

/** Requests to one server as the system account. */
export const askingServer =
  ({ connection, timeout }: ListSettings, server: string, what: string): AskPage =>
  async (body) =>
    readJson(await ask(connection, `$SYS.REQ.SERVER.${server}.${what}`, JSON.stringify(body), timeout));

/** Requests to JetStream's API as an account. */
export const askingApi =
  ({ connection, timeout }: ListSettings, subject: string): AskPage =>
  async (body) =>
    readJson(await ask(connection, subject, JSON.stringify(body), timeout));

/** The default page size of most lists. */
const PAGE = 1024;
/** Accounts per page, because thousands in one answer would be many megabytes. */
const ACCOUNTS_PAGE = 256;
/** How often to read a list that changes while it is read. */
const ROUNDS = 4;
/** The maximum number of subscriptions in one answer, at a hundred bytes each. */
const MOST_SUBSCRIPTIONS = 262_144;

/**
 * The account's subscriptions on one server, including internal ones.
 *
 * A server lists them in a different order each time, so pages are inconsistent, and before 2.11.6 its `total` is only the
 * size of the page (tested on 2.9.10, 2.10.27). So this requests a single page, and a larger one until it is not full.
 * @param test only those that match this subject, which has no wildcards.
 * @param most the largest page to request.
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
      throw cut("SUBSZ", `the server has at least ${Math.max(total, found.length)} subscriptions`);
  }
}

/** Ids of the account's client connections on one server, including recently closed ones. */
export async function accountConnections(askConnz: AskPage, account: AccountId): Promise<ReadonlySet<number>> {
  const found = await paged("CONNZ", async (offset) => {
    const body = { acc: account, state: OPEN_AND_CLOSED, limit: PAGE, offset };
    const { connections, total } = readData(connz, await askConnz(body), "CONNZ");
    return { items: connections.map(({ cid }) => [cid, cid] as const), total };
  });
  return new Set(found.keys());
}

/** `ConnAll` of the server's monitoring: open and recently closed connections. */
const OPEN_AND_CLOSED = 2;

/**
 * All accounts with JetStream on one server. Before 2.10.28 and 2.11.2 the first page is unsorted and the others are
 * sorted, so pages may miss some (read in monitor.go, `Jsz`); then this requests a single page.
 * @param more further options of the request.
 */
export async function jetStreamAccounts(askJsz: AskPage, more: JsonObject): Promise<readonly AccountDetail[]> {
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

/** One account's JetStream on one server; undefined if it has none there. */
export async function jetStreamAccount(
  askJsz: AskPage,
  account: AccountId,
  more: JsonObject,
): Promise<AccountDetail | undefined> {
  // A server that lacks the account lists all others instead, up to the limit.
  const answer = await askJsz({ ...more, account, limit: 1 });
  return readData(jsz, answer, "JSZ").account_details?.find(({ id }) => id === account);
}

/** The leafnode connections of one server, of one account or of all. Servers do not truncate this list. */
export async function leafConnectionsOf(askLeafz: AskPage, account?: AccountId): Promise<readonly LeafDetail[]> {
  const answer = await askLeafz(defined({ account }));
  const { leafs, leafnodes = 0 } = readData(leafz, answer, "LEAFZ");
  const found = leafs ?? [];
  if (found.length >= leafnodes) return found;
  throw cut("LEAFZ", `it lists ${found.length} of ${leafnodes}`);
}

/** The names of the account's streams in the cluster's metadata. */
export const streamNames = (settings: ListSettings): Promise<ReadonlySet<string>> =>
  namesOf(settings, "STREAM.NAMES", STREAM_NAMES);

/** The names of a stream's consumers in the cluster's metadata. */
export const consumerNames = (settings: ListSettings, stream: string): Promise<ReadonlySet<string>> =>
  namesOf(settings, "CONSUMER.NAMES", consumerNamesSubject(stream));

/** The permissions that a user needs for these lists. */
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

/** One page of a list, and the length of the whole list according to the server. */
interface Page<K, T> {
  readonly items: readonly (readonly [K, T])[];
  readonly total: number;
}

interface Pages<K, T> {
  readonly found: ReadonlyMap<K, T>;
  readonly total: number;
  /** Whether the list changed before a later page was read. */
  readonly moved: boolean;
}

const isWhole = <K, T>({ found, total, moved }: Pages<K, T>): boolean => !moved && found.size >= total;

/**
 * Reads a whole sorted list page by page. If entries are added or removed meanwhile, others move between pages and could be
 * missed; then it reads the list again.
 * @throws RelightError `nats.list_cut`
 */
async function paged<K, T>(what: string, pageAt: (offset: number) => Promise<Page<K, T>>): Promise<ReadonlyMap<K, T>> {
  let pages = await pagesOf(pageAt);
  for (let round = 1; round < ROUNDS && !isWhole(pages); round++) pages = await pagesOf(pageAt);
  if (isWhole(pages)) return pages.found;
  throw cut(what, pages.moved ? MOVED : `it lists ${pages.found.size} of ${pages.total}`);
}

const MOVED = "it changed each time it was read";

/** Each page starts with the last entry of the page before. Otherwise something in between may be missing. */
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
  return new RelightError("nats.list_cut", `the server's list ${what} is incomplete: ${why}`);
}
