import {
  AuthorizationError,
  ClosedConnectionError,
  connect,
  credsAuthenticator,
  type Msg,
  type NatsConnection,
  type NodeConnectionOptions,
  NoRespondersError,
  PermissionViolationError,
  TimeoutError,
  UserAuthenticationExpiredError,
} from "@nats-io/transport-node";
import { isJsonObject, type JsonObject } from "../../domain/json.ts";
import type { Millis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";

/** Requests in flight at once: a cluster in trouble is not stormed. */
export const AT_ONCE = 16;

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

/** How often a sign-in is begun that breaks off before the server has judged it. */
const SIGN_INS = 3;

/**
 * Connects once: no silent retries, so that "refused" is heard at once. Only a sign-in that took too long is begun
 * again.
 * @throws RelightError `nats.unreachable`, `nats.unauthorized`, `secret.malformed`.
 */
export async function openConnection(settings: ConnectionSettings): Promise<NatsConnection> {
  for (let left = SIGN_INS - 1; ; left--) {
    try {
      return await connect(optionsOf(settings));
    } catch (cause) {
      if (left === 0 || !brokeOff(cause)) throw connectError(cause, settings.servers);
    }
  }
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

/** Asks and takes the first answer. @throws RelightError `nats.*` */
export async function ask(
  connection: NatsConnection,
  subject: string,
  body: string,
  timeout: Millis,
): Promise<Msg> {
  try {
    return await connection.request(subject, body, { timeout });
  } catch (cause) {
    throw await requestError(cause, connection, subject, timeout);
  }
}

/**
 * Asks and takes answers until `enough` of them came or `timeout` is over. Too few is no error here:
 * the caller knows how many there should be.
 */
export async function gather(
  connection: NatsConnection,
  subject: string,
  body: string,
  { timeout, enough }: { timeout: Millis; enough: (answers: readonly Msg[]) => boolean },
): Promise<readonly Msg[]> {
  const answers: Msg[] = [];
  try {
    const replies = await connection.requestMany(subject, body, { strategy: "timer", maxWait: timeout });
    for await (const reply of replies) {
      answers.push(reply);
      if (enough(answers)) break;
    }
  } catch (cause) {
    throw await requestError(cause, connection, subject, timeout);
  }
  if (connection.isClosed()) throw lost(subject);
  return answers;
}

/** The client's errors as ours, in this one place. */
async function requestError(
  cause: unknown,
  connection: NatsConnection,
  subject: string,
  timeout: Millis,
): Promise<RelightError> {
  const chain = causes(cause);
  const is = (type: new (...args: never[]) => Error): boolean => chain.some((error) => error instanceof type);
  if (is(NoRespondersError)) return new RelightError("nats.timeout", `nobody answers ${subject}`, { cause });
  if (is(PermissionViolationError))
    return new RelightError("nats.unauthorized", `the user may not ask ${subject}`, { cause });
  // A closing connection rejects its requests with a plain RequestError before it calls itself closed.
  const closing = chain.some(({ message }) => message === "connection closed");
  if (closing || is(ClosedConnectionError) || connection.isClosed()) return lost(subject, cause);
  if (is(TimeoutError))
    return new RelightError("nats.timeout", `no answer to ${subject} within ${timeout} ms`, { cause });
  const message = chain[0]?.message ?? String(cause);
  return new RelightError("nats.bad_answer", `${subject}: ${message}`, { cause });
}

function causes(thrown: unknown): readonly Error[] {
  return thrown instanceof Error ? [thrown, ...causes(thrown.cause)] : [];
}

function lost(subject: string, cause?: unknown): RelightError {
  return new RelightError("nats.connection_lost", `the connection was lost while asking ${subject}`, {
    cause,
  });
}

/** Whether nobody listens on a subject at all, as opposed to nobody answering in time. */
export function isNoResponders(error: unknown): boolean {
  return causes(error).some((cause) => cause instanceof NoRespondersError);
}

/** The JSON object in an answer. @throws RelightError `nats.bad_answer` */
export function readJson(message: Msg): JsonObject {
  const value = (() => {
    try {
      return message.json<unknown>();
    } catch (cause) {
      throw new RelightError("nats.bad_answer", `the answer on ${message.subject} is not JSON`, { cause });
    }
  })();
  if (!isJsonObject(value)) throw new RelightError("nats.bad_answer", "an answer is not a JSON object");
  return value;
}
