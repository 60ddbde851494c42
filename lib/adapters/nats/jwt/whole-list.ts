import type { Msg, NatsConnection, QueuedIterator } from "@nats-io/transport-node";
import pMap from "p-map";
import { type AccountId, isAccountId } from "../../../domain/claims/account.ts";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { asRelightError, type RelightError } from "../../../errors.ts";
import type { DecodedJwt } from "../../../ports/keys.ts";
import type { ListedJwt } from "../../../ports/resolver.ts";
import { listAnswer, read, type ServerInfo } from "../connection/answers.ts";
import { isNoResponders, readJson } from "../connection/asking.ts";
import { LIST_PAUSE, type ListingSettings, listing } from "./listing.ts";

export interface WholeListSettings extends Omit<ListingSettings, "senders"> {
  /** The servers that have a full resolver; those whose kind is not known may have one. */
  readonly holders: readonly (ServerInfo & { readonly isCertain: boolean })[];
  lookup(account: AccountId): Promise<DecodedJwt | undefined>;
}

const SUBJECT = "$SYS.REQ.CLAIMS.LIST";
/** The longest list takes less; milliseconds. */
const LONGEST = 30 * 60_000;
/** How many missing accounts are looked up together. */
const AT_ONCE = 16;
const CHUNK = 256;

/**
 * The JWTs of all servers' resolvers. Only one server sends JWTs, and it may have fewer than the others: it joined just
 * now, or can't write them. What comes from another server may get lost on the way, although the end arrives. So the
 * names that every server lists are compared with what came, and the missing accounts are looked up. That also completes
 * a list whose sender fell silent.
 * @throws RelightError like {@link listing}, if no server lists its names either
 */
export async function* wholeList(settings: WholeListSettings): AsyncIterable<ListedJwt> {
  const { connection, timeout, holders, lookup } = settings;
  const given = new Set<string>();
  const sent = listing({ ...settings, senders: holders.length }, given);
  if (holders.length < 2) return yield* sent;
  using asked = askNames(connection, holders.length);
  const cut = yield* untilCut(sent);
  await asked.rest(millis(timeout * LIST_PAUSE));
  const heard = new Set<string>();
  const missing = new Set<string>();
  for (const answer of asked.answers) {
    const { server, data } = read(listAnswer, readJson(answer), "CLAIMS.LIST");
    if (!holders.some(({ id }) => id === server.id)) continue;
    heard.add(server.id);
    for (const name of data ?? []) if (!given.has(name)) missing.add(name);
  }
  if (cut !== undefined && heard.size === 0) throw cut;
  const names = [...missing];
  for (let from = 0; from < names.length; from += CHUNK)
    yield* (
      await pMap(names.slice(from, from + CHUNK), (name) => found(name, lookup), { concurrency: AT_ONCE })
    ).flat();
  for (const { id, name, isCertain } of holders)
    if (isCertain && !heard.has(id)) yield { ok: false, account: name, of: "server", problem: UNLISTED };
}

/** What comes before the list breaks off, and then why it did; undefined if it is whole. */
async function* untilCut(list: AsyncIterable<ListedJwt>): AsyncGenerator<ListedJwt, RelightError | undefined> {
  try {
    yield* list;
    return undefined;
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code !== "nats.timeout" || isNoResponders(thrown)) throw thrown;
    return error;
  }
}

const UNLISTED = "this server did not say which accounts its resolver has, so others than the listed ones may exist";

/** None if it was deleted meanwhile. */
async function found(name: string, lookup: WholeListSettings["lookup"]): Promise<readonly ListedJwt[]> {
  if (!isAccountId(name)) return [{ ok: false, account: name, problem: "this is not an account's id" }];
  try {
    const jwt = await lookup(name);
    return jwt === undefined ? [] : [{ ok: true, jwt }];
  } catch (thrown) {
    return [{ ok: false, account: name, problem: asRelightError(thrown).message }];
  }
}

interface AskedNames extends Disposable {
  /** Those that have come. */
  readonly answers: readonly Msg[];
  /** Waits until all have come, or none has come for this long. */
  rest(pause: Millis): Promise<void>;
}

/** Asks every server at once for its names, while another answer is read. */
function askNames(connection: NatsConnection, expected: number): AskedNames {
  const answers: Msg[] = [];
  let news = Promise.withResolvers<void>();
  let open: QueuedIterator<Msg> | undefined;
  let isOver = false;
  async function receive(): Promise<void> {
    const options = { strategy: "count", maxMessages: expected, maxWait: LONGEST } as const;
    open = (await connection.requestMany(SUBJECT, "", options)) as QueuedIterator<Msg>;
    if (isOver) return open.stop();
    for await (const answer of open) {
      answers.push(answer);
      news.resolve();
      news = Promise.withResolvers();
    }
  }
  // Without an answer the servers count as silent, and a lost connection ends the other answer, too.
  const received = receive().catch(() => undefined);
  return {
    answers,
    rest: async (pause) => {
      for (let before = -1; before < answers.length; ) {
        before = answers.length;
        const silence = Promise.withResolvers<void>();
        const timer = setTimeout(silence.resolve, pause);
        await Promise.race([received, news.promise, silence.promise]);
        clearTimeout(timer);
      }
    },
    [Symbol.dispose]: () => {
      isOver = true;
      open?.stop();
    },
  };
}
