import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import type { NatsConnection } from "@nats-io/transport-node";
import { type Millis, millis } from "../../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../../errors.ts";
import type { JwtCodec } from "../../../ports/keys.ts";
import type { ListedJwt } from "../../../ports/resolver.ts";
import { lost, requestError } from "../connection/asking.ts";
import { isFragment } from "./jwt-codec.ts";

export interface ListingSettings {
  readonly connection: NatsConnection;
  readonly codec: JwtCodec;
  readonly timeout: Millis;
  /** How many servers may be the one that sends the list. */
  readonly senders: number;
}

/**
 * V8 lets its heap grow with the garbage that passes through it, and a list is almost nothing else: at 100,000 accounts by
 * 100 MB, four times what is kept. From the first list on, the young generation stays as large as the start of the process
 * made it, and the old one is collected when it has grown by a third instead of up to fourfold. This costs no measurable
 * time (docs/benchmarks.md).
 */
function keepHeapSmall(): void {
  for (const flag of HEAP_FLAGS) setFlagsFromString(flag);
}

/** V8 complains about flags that it does not know; Node 20 to 24 know these. */
export const HEAP_FLAGS = ["--semi-space-growth-factor=1", "--heap-growing-percent=33"] as const;

/** A list may pause for this many timeouts, because its server reads thousands of files besides other work. */
export const LIST_PAUSE = 3;
/** How often to request the list if it is incomplete: again for each server that may be the silent one, but no more often. */
const MOST_TRIES = 4;
/** How many JWTs are decoded in one go: a few milliseconds, between which the connection is read. */
const TOGETHER = 64;

const SUBJECT = "$SYS.REQ.CLAIMS.PACK";

/**
 * The JWTs of one server's resolver, each account once, decoded as they arrive. The server sends as fast as it reads its
 * files, and closes the connection of a client that does not read for ten seconds. So what arrives faster than it is
 * decoded is kept here undecoded, one to two kilobytes per account.
 * @param given receives the names of their files
 * @throws RelightError `nats.timeout` if the list is incomplete, `nats.connection_lost`, `nats.bad_answer`
 */
export async function* listing(settings: ListingSettings, given: Set<string>): AsyncIterable<ListedJwt> {
  keepHeapSmall();
  for (let left = Math.min(settings.senders + 1, MOST_TRIES); left > 0; left--) {
    // By the names of their files: an account's name in a JWT may be forged.
    const before: ReadonlySet<string> = given.size === 0 ? new Set() : new Set(given);
    using arriving = receive(settings);
    for await (const files of decoded(arriving, settings.codec))
      for (const { name, entry } of files) {
        given.add(name);
        if (!before.has(name)) yield entry;
      }
    if (arriving.isWhole()) return;
    if (settings.connection.isClosed()) throw lost(SUBJECT);
  }
  throw new RelightError("nats.timeout", "the resolver's list of accounts is incomplete");
}

/** A file of the resolver: its name should be the account's id. */
interface ListedFile {
  readonly name: string;
  readonly entry: ListedJwt;
}

/** While the caller works with some, the signatures of the next ones are verified. */
async function* decoded(arriving: Arriving, codec: JwtCodec): AsyncIterable<readonly ListedFile[]> {
  let decoding: Promise<readonly ListedFile[]> | undefined;
  while (true) {
    const lines = await arriving.take(TOGETHER);
    const next = lines.length === 0 ? undefined : Promise.all(lines.map((line) => listed(line, codec)));
    if (decoding !== undefined) yield await decoding;
    if (next === undefined) return;
    decoding = next;
    // Let the connection be read.
    await nextTurn();
  }
}

async function listed(line: string, codec: JwtCodec): Promise<ListedFile> {
  const [account = "", token = ""] = line.split("|");
  try {
    const jwt = await codec.decodeLater(token);
    const { sub } = jwt.document.claims;
    return { name: sub === account ? sub : copied(account), entry: { ok: true, jwt } };
  } catch (thrown) {
    const name = copied(account);
    // A bad file in the resolver must not hide the others.
    const problem = asRelightError(thrown).message;
    if (!isFragment(token)) return { name, entry: { ok: false, account: name, problem } };
    return { name, entry: { ok: false, account: name, of: "fragment", problem: FRAGMENT } };
  }
}

const FRAGMENT = "it is only a part of a JWT, as a disk leaves it that got full in the middle of a push";

/** A part of a text keeps all of it in memory. */
const copied = (part: string): string => Buffer.from(part).toString();

/** An answer of many messages that is being received. */
interface Arriving extends Disposable {
  /** The next lines, as soon as there are any; none at the end. @throws RelightError `nats.*` */
  take(most: number): Promise<readonly string[]>;
  /** Whether the end was marked. Without that the list is incomplete. */
  isWhole(): boolean;
}

/** Asks one server (the subject has a queue group), so no account appears twice. */
function receive({ connection, timeout, senders }: ListingSettings): Arriving {
  const pause = millis(timeout * LIST_PAUSE);
  // Another server may send it sooner.
  const first = senders > 1 ? timeout : pause;
  let lines: string[] = [];
  let [isOver, isWhole, isStopped] = [false, false, false];
  let failure: RelightError | undefined;
  let news = Promise.withResolvers<void>();
  const tell = (): void => {
    news.resolve();
    news = Promise.withResolvers();
  };
  async function receiveAll(): Promise<void> {
    const options = { strategy: "stall", maxWait: first, stall: pause } as const;
    for await (const reply of await connection.requestMany(SUBJECT, "", options)) {
      // One message per account, then an empty one.
      isWhole = reply.data.length === 0;
      if (isWhole || isStopped) return;
      lines.push(reply.string());
      tell();
    }
  }
  void receiveAll()
    .catch((cause: unknown) => {
      failure = requestError(cause, connection, SUBJECT, pause);
    })
    .finally(() => {
      isOver = true;
      tell();
    });
  let taken = 0;
  async function take(most: number): Promise<readonly string[]> {
    while (taken === lines.length && !isOver) {
      [lines, taken] = [[], 0];
      await news.promise;
    }
    if (taken === lines.length && failure !== undefined) throw failure;
    const next = lines.slice(taken, taken + most);
    // Free what was taken.
    lines.fill("", taken, taken + next.length);
    taken += next.length;
    return next;
  }
  return {
    take,
    isWhole: () => isWhole,
    [Symbol.dispose]: () => {
      isStopped = true;
    },
  };
}
