import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Millis } from "../../../domain/time/time.ts";
import type { ClusterEvent } from "../../../domain/watch/watch.ts";
import { asRelightError, RelightError } from "../../../errors.ts";
import type { Events } from "../../../ports/cluster.ts";
import type { Log } from "../../../ports/log.ts";
import type { ServerInfo } from "../connection/answers.ts";
import { openConnection } from "../connection/connection.ts";
import type { Servers } from "../connection/tls.ts";
import { jwtCodec } from "../jwt/jwt-codec.ts";
import { natsResolver } from "../jwt/resolver.ts";
import { discover } from "../probes/cluster.ts";
import { type EventBuffer, eventBuffer } from "./event-buffer.ts";
import { readAdvisory, readDeletion, readDisconnect, readPush, readRefusal, readServer } from "./event-messages.ts";

export interface EventsSettings {
  readonly servers: Servers;
  /** The text of the system user's credentials file. */
  readonly systemCredentials: string;
  readonly timeout: Millis;
  readonly log: Log;
}

/**
 * Opens a connection of the system account for events. The first attempt must succeed; afterwards it reconnects by itself
 * forever.
 * @throws RelightError `nats.no_tls`, `nats.tls_failed`, `nats.unreachable`, `nats.unauthorized`,
 * `nats.not_system_account`, `secret.malformed`.
 */
export async function openEvents(settings: EventsSettings): Promise<Events> {
  const { servers, systemCredentials: credentials, timeout } = settings;
  const delay = backoff();
  const name = "relight (listening)";
  const connection = await openConnection({
    servers,
    credentials,
    timeout,
    name,
    reconnectDelay: delay.next,
  });
  try {
    await discover(connection, timeout);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const kindOf = async () => undefined;
  const fresh = { connection, codec: jwtCodec, timeout, servers: () => discover(connection, timeout), kindOf };
  return {
    listen: () => listen(connection, settings, delay.reset),
    running: (account) => natsResolver(fresh).running(account),
    [Symbol.asyncDispose]: () => connection.close(),
  };
}

/** Growing pauses of up to ten seconds, with jitter. */
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
  const heard = eventBuffer();
  const roster = serverRoster(() => discover(connection, timeout));
  subscribeAll(connection, heard, log, roster);
  const lost = (): void => {
    roster.forget();
    heard.put({ kind: "connection-lost" });
  };
  const regained = async (): Promise<void> => {
    onRegained();
    await roster.learn();
    heard.put({ kind: "connection-regained" });
  };
  void follow(connection, { lost, regained }).then((error) => heard.end(error));
  // If it was closed already, the events end at once.
  await connection.flush().catch(() => undefined);
  await roster.learn();
  yield* heard.events;
}

interface Roster {
  readonly joined: Reader;
  readonly stopped: Reader;
  /** Treats the current servers as known: they have not joined, neither at the start nor after a gap. */
  learn(): Promise<void>;
  /** Forgets all servers until the next {@link learn}. */
  forget(): void;
}

/** Tracks the servers. A server that joins is noticed by its first statistics. */
function serverRoster(alive: () => Promise<readonly ServerInfo[]>): Roster {
  /** Names by id, because a stopping server does not send its name. */
  const known = new Map<string, string>();
  let learnt = false;
  return {
    joined: (message) => {
      const { id, name } = readServer(message);
      const isNew = learnt && !known.has(id);
      known.set(id, name);
      return isNew ? { kind: "server-joined", server: name } : undefined;
    },
    stopped: (message) => {
      const { id } = readServer(message);
      const server = known.get(id) ?? id;
      known.delete(id);
      return { kind: "server-stopped", server };
    },
    learn: async () => {
      for (const { id, name } of await alive().catch(() => [])) known.set(id, name);
      learnt = true;
    },
    forget: () => {
      learnt = false;
    },
  };
}

type Reader = (message: Msg) => ClusterEvent | readonly ClusterEvent[] | undefined;

function subscribeAll(
  connection: NatsConnection,
  heard: EventBuffer,
  log: Log,
  { joined, stopped }: Pick<Roster, "joined" | "stopped">,
): void {
  const push: Reader = (message) => readPush(message, jwtCodec);
  const subjects: readonly (readonly [string, Reader])[] = [
    ["$SYS.REQ.CLAIMS.UPDATE", push],
    ["$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE", push],
    ["$SYS.REQ.CLAIMS.DELETE", readDeletion],
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
        const events = refused === null ? reader(message) : undefined;
        for (const event of events === undefined ? [] : [events].flat()) heard.put(event);
      } catch (thrown) {
        log.warn("can't read a server's message", { subject, error: asRelightError(thrown).toJSON() });
      }
    };
    connection.subscribe(subject, { callback });
  }
}

function mayNotListen(subject: string, cause: Error): RelightError {
  return new RelightError("nats.unauthorized", `the user may not subscribe to ${subject}`, { cause });
}

/** Follows the connection until it is closed; returns the reason unless it was closed on purpose. */
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
  return new RelightError("nats.connection_lost", "the connection for events is closed", { cause });
}
