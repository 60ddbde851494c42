import { Readable } from "node:stream";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Millis } from "../../domain/time.ts";
import type { ClusterEvent } from "../../domain/watch.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Events, Log } from "../../ports.ts";
import { discover } from "./cluster.ts";
import { openConnection } from "./connection.ts";
import { readAdvisory, readDisconnect, readPush, readRefusal, readServer } from "./event-messages.ts";
import { jwtCodec } from "./jwt-codec.ts";
import { natsResolver } from "./resolver.ts";

export interface EventsSettings {
  readonly servers: readonly string[];
  /** The text of the system user's credentials file. */
  readonly systemCredentials: string;
  readonly timeout: Millis;
  readonly log: Log;
}

/** Events kept for a listener that is slower than the cluster; what is beyond is told as one `events-missed`. */
const MOST_WAITING = 1_000;

/**
 * Opens a connection of the system account to listen on. The first attempt must succeed; from then on it
 * reconnects by itself for ever.
 * @throws RelightError `nats.unreachable`, `nats.unauthorized`, `nats.not_system_account`, `secret.malformed`.
 */
export async function openEvents(settings: EventsSettings): Promise<Events> {
  const { servers, systemCredentials: credentials, timeout } = settings;
  const delay = backoff();
  const name = "relight (listening)";
  const connection = await openConnection({
    ...{ servers, credentials, timeout, name, reconnectDelay: delay.next },
  });
  try {
    await discover(connection, timeout);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const fresh = { connection, codec: jwtCodec, timeout, servers: () => discover(connection, timeout) };
  return {
    listen: () => listen(connection, settings, delay.reset),
    running: (account) => natsResolver(fresh).running(account),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Waits longer the longer it is down, up to ten seconds, and never in step with others. */
function backoff(): { readonly next: () => number; readonly reset: () => void } {
  let since: number | undefined;
  const next = (): number => {
    since ??= Date.now();
    const wait = Math.min(10_000, 250 + (Date.now() - since) / 4);
    return wait * (0.5 + Math.random() / 2);
  };
  return { next, reset: () => (since = undefined) };
}

async function* listen(
  connection: NatsConnection,
  { timeout, log }: EventsSettings,
  onRegained: () => void,
): AsyncIterable<ClusterEvent> {
  const heard = mailbox();
  /** The servers' names by their ids; a server that stops no longer says its name. */
  const known = new Map<string, string>();
  /** Who is there already has not joined, neither at the start nor after a gap. */
  const learn = async (): Promise<void> => {
    const alive = await discover(connection, timeout).catch(() => []);
    for (const { id, name } of alive) known.set(id, name);
  };
  let learning = true;
  const joined = (message: Msg): ClusterEvent | undefined => {
    const { id, name } = readServer(message);
    if (known.has(id)) return undefined;
    known.set(id, name);
    return learning ? undefined : { kind: "server-joined", server: name };
  };
  const stopped = (message: Msg): ClusterEvent => {
    const { id } = readServer(message);
    const server = known.get(id) ?? id;
    known.delete(id);
    return { kind: "server-stopped", server };
  };

  subscribeAll(connection, heard, log, { joined, stopped });
  void follow(connection, {
    lost: () => {
      learning = true;
      heard.put({ kind: "connection-lost" });
    },
    regained: async () => {
      onRegained();
      await learn();
      learning = false;
      heard.put({ kind: "connection-regained" });
    },
  }).then((error) => heard.end(error));
  // Closed already means that nobody wants to hear: the events end at once.
  await connection.flush().catch(() => undefined);
  await learn();
  learning = false;
  yield* heard.events;
}

type Reader = (message: Msg) => ClusterEvent | undefined;

function subscribeAll(
  connection: NatsConnection,
  heard: Mailbox,
  log: Log,
  { joined, stopped }: { joined: Reader; stopped: Reader },
): void {
  const push: Reader = (message) => readPush(message, jwtCodec);
  const subjects: readonly (readonly [string, Reader])[] = [
    ["$SYS.REQ.CLAIMS.UPDATE", push],
    ["$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE", push],
    ["$SYS.ACCOUNT.*.DISCONNECT", readDisconnect],
    ["$SYS.SERVER.*.CLIENT.AUTH.ERR", readRefusal],
    ["$SYS.SERVER.*.STATSZ", joined],
    ["$SYS.SERVER.*.SHUTDOWN", stopped],
    ["$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>", readAdvisory],
    ["$JS.EVENT.ADVISORY.STREAM.QUORUM_LOST.>", readAdvisory],
    ["$JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED.>", readAdvisory],
    ["$JS.EVENT.ADVISORY.CONSUMER.QUORUM_LOST.>", readAdvisory],
    ["$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED", readAdvisory],
  ];
  for (const [subject, reader] of subjects) {
    const callback = (refused: Error | null, message: Msg): void => {
      try {
        if (refused !== null) heard.end(mayNotListen(subject, refused));
        const event = refused === null ? reader(message) : undefined;
        if (event !== undefined) heard.put(event);
      } catch (thrown) {
        log.warn("a server said what can't be read", { subject, error: asRelightError(thrown).toJSON() });
      }
    };
    connection.subscribe(subject, { callback });
  }
}

function mayNotListen(subject: string, cause: Error): RelightError {
  return new RelightError("nats.unauthorized", `the user may not listen on ${subject}`, { cause });
}

/** Follows the connection until it is closed; gives the reason if nobody asked for that. */
async function follow(
  connection: NatsConnection,
  { lost, regained }: { lost: () => void; regained: () => Promise<void> },
): Promise<RelightError | undefined> {
  let isLost = false;
  const watchStatus = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type === "disconnect" && !isLost) lost();
      if (type === "disconnect") isLost = true;
      if (type === "reconnect" && isLost) {
        isLost = false;
        await regained();
      }
    }
  };
  void watchStatus();
  const cause = await connection.closed();
  if (cause === undefined) return undefined;
  return new RelightError("nats.connection_lost", "the connection to listen on is closed", { cause });
}

interface Mailbox {
  readonly events: AsyncIterable<ClusterEvent>;
  put(event: ClusterEvent): void;
  end(error: RelightError | undefined): void;
}

/** Keeps what is heard until it is read, with a bound. */
function mailbox(): Mailbox {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  // Whoever reads gets the error; it may come before anybody does.
  stream.on("error", () => undefined);
  let missed = false;
  let over = false;
  const put = (event: ClusterEvent): void => {
    if (over) return;
    if (stream.readableLength < MOST_WAITING) {
      missed = false;
      stream.push(event);
    } else if (!missed) {
      missed = true;
      stream.push({ kind: "events-missed" } satisfies ClusterEvent);
    }
  };
  const end = (error: RelightError | undefined): void => {
    if (!over && error === undefined) stream.push(null);
    if (!over && error !== undefined) stream.destroy(error);
    over = true;
  };
  return { events: stream as AsyncIterable<ClusterEvent>, put, end };
}
