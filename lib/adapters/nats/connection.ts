import { setTimeout as wait } from "node:timers/promises";
import {
  AuthorizationError,
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import type { Millis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";

export interface ConnectionSettings {
  readonly servers: readonly string[];
  /** The text of a credentials file. */
  readonly credentials: string;
  /** How long to wait for the connection and for one answer. */
  readonly timeout: Millis;
  /** Replies come to `<inbox>.>`; must be what the user may subscribe to. */
  readonly inbox?: string;
  /** What the connection is, for the servers' own lists. */
  readonly name: string;
  /**
   * How long to wait before each attempt to reconnect, in milliseconds; it is tried for ever. Absent: a lost
   * connection stays lost.
   */
  readonly reconnectDelay?: () => number;
}

/** A lost connection is noticed within three of these, even where no packet says so; milliseconds. */
const HEARTBEAT = 10_000;

/**
 * How long to wait before each further attempt to connect, in milliseconds: a server that restarts is back within
 * moments, and one that is away is told of within two seconds.
 */
const CONNECT_AGAIN_AFTER = [250, 1_000] as const;

/**
 * Connects. What is refused is heard at once; a server that can't be reached, or that breaks a sign-in off before it has
 * judged it, is tried again, unless the time for an answer is over.
 * @throws RelightError `nats.unreachable`, `nats.unauthorized`, `secret.malformed`.
 */
export async function openConnection(settings: ConnectionSettings): Promise<NatsConnection> {
  const began = performance.now();
  for (const pause of [...CONNECT_AGAIN_AFTER, undefined]) {
    try {
      return await connect(optionsOf(settings));
    } catch (cause) {
      const error = connectError(cause, settings.servers);
      const isLate = performance.now() - began >= settings.timeout && !brokeOff(cause);
      if (pause === undefined || error.code !== "nats.unreachable" || isLate) throw error;
      await wait(pause);
    }
  }
  throw new Error("unreachable: the last attempt throws");
}

function optionsOf(settings: ConnectionSettings): NodeConnectionOptions {
  const { servers, credentials, timeout, inbox, name, reconnectDelay } = settings;
  return {
    servers: [...servers],
    // The client's parser wants the newline at the end, which secret stores and editors drop.
    authenticator: credsAuthenticator(Buffer.from(`${credentials.trim()}\n`)),
    ...{ name, timeout, reconnect: false, waitOnFirstConnect: false },
    ...(inbox === undefined ? {} : { inboxPrefix: inbox }),
    ...(reconnectDelay === undefined ? {} : forEver(reconnectDelay)),
  };
}

/** A server that is starting may refuse everybody for a while: that is no reason to give up, either. */
function forEver(reconnectDelayHandler: () => number): NodeConnectionOptions {
  const pings = { pingInterval: HEARTBEAT, maxPingOut: 2 };
  return {
    ...pings,
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler,
  };
}

/** A server gives a client two seconds to sign in. On a busy machine they pass before it could read what was sent. */
const isLate = (cause: unknown): boolean =>
  cause instanceof Error && /authentication timeout/i.test(cause.message);

/** A server that closed the connection while the client wrote to it may have said why: the next attempt may hear it. */
const brokeOff = (cause: unknown): boolean =>
  isLate(cause) || (cause instanceof Error && /\b(EPIPE|ECONNRESET)\b/.test(cause.message));

function connectError(cause: unknown, servers: readonly string[]): RelightError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const where = servers.join(", ");
  if (reason === "unable to parse credentials")
    return new RelightError("secret.malformed", "the credentials are not a NATS credentials file (.creds)", {
      cause,
    });
  if (isLate(cause))
    return new RelightError("nats.unreachable", `${where} did not answer the sign-in in time: ${reason}`, {
      cause,
    });
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError)
    return new RelightError("nats.unauthorized", `${where} refused the credentials: ${reason}`, { cause });
  return new RelightError("nats.unreachable", `cannot reach ${where}: ${reason}`, { cause });
}
