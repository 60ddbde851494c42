import { setTimeout as wait } from "node:timers/promises";
import {
  type Authenticator,
  AuthorizationError,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  UserAuthenticationExpiredError,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { defined } from "../../../domain/time/defined.ts";
import { parseJsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { type Attempt, type DialOptions, dial } from "./dial.ts";
import type { Servers } from "./tls.ts";
import { tlsFailure } from "./tls-failures.ts";

export interface ConnectionSettings {
  readonly servers: Servers;
  /** The text of a credentials file, a user's seed, or JSON with `user` and `password` or with `token`. */
  readonly credentials: string;
  /** How long to wait for the connection and for an answer. */
  readonly timeout: Millis;
  /** Replies come to `<inbox>.>`, which the user must be allowed to subscribe to. */
  readonly inbox?: string;
  /** The connection's name in the servers' lists. */
  readonly name: string;
  /**
   * How long to wait before each attempt to reconnect, in milliseconds; it retries forever. Absent: a lost connection stays
   * lost.
   */
  readonly reconnectDelay?: () => number;
}

/** A dead connection is noticed within three of these intervals; milliseconds. */
const HEARTBEAT = 10_000;

/**
 * How long to wait before each further attempt to connect, in milliseconds. A restarting server is back quickly, and an
 * absent one is reported within two seconds.
 */
const CONNECT_AGAIN_AFTER = [250, 1_000] as const;

/**
 * Connects. A refusal is reported once every server refused. Retries, within the timeout, if a server is unreachable or closes the connection
 * during the sign-in.
 * @throws RelightError `nats.no_tls`, `nats.tls_failed`, `nats.unreachable`, `nats.unauthorized`, `secret.malformed`.
 */
export async function openConnection(settings: ConnectionSettings): Promise<NatsConnection> {
  const { servers, timeout } = settings;
  const began = performance.now();
  for (const pause of [...CONNECT_AGAIN_AFTER, undefined]) {
    let attempts: Attempt[] | undefined = [];
    try {
      const connection = await dialAny(servers, optionsOf(settings), (attempt) => attempts?.push(attempt));
      // Ignore failed attempts to reconnect, which have no end.
      attempts = undefined;
      return connection;
    } catch (cause) {
      const isLate = performance.now() - began >= timeout && !wasCutOff(cause);
      const last = attempts?.at(-1);
      if (last !== undefined) last.error ??= cause;
      const error = (await tlsFailure(attempts ?? [], servers, timeout)) ?? connectError(cause, servers.addresses);
      if (pause === undefined || error.code !== "nats.unreachable" || isLate) throw error;
      await wait(pause);
    }
  }
  throw new Error("unreachable: the last attempt throws");
}

/**
 * The client takes one server's refusal for that of all. But a server that could not fetch the account's claims refuses
 * whom the others accept.
 */
async function dialAny(
  servers: Servers,
  options: DialOptions,
  note: (attempt: Attempt) => void,
): Promise<NatsConnection> {
  try {
    return await dial(servers, options, note);
  } catch (refusal) {
    if (options.reconnect === true || servers.addresses.length === 1 || !isRefusal(refusal)) throw refusal;
    for (const first of servers.addresses) {
      // All of them, because one `tls://` address demands TLS for the others.
      const addresses = [first, ...servers.addresses.filter((address) => address !== first)];
      const inOrder = { ...options, noRandomize: true };
      const connection = await dial({ ...servers, addresses }, inOrder, note).catch(() => undefined);
      if (connection !== undefined) return connection;
    }
    throw refusal;
  }
}

function optionsOf(settings: ConnectionSettings): DialOptions {
  const { credentials, timeout, inbox, name, reconnectDelay } = settings;
  return {
    authenticator: authenticatorOf(credentials.trim()),
    name,
    timeout,
    reconnect: false,
    waitOnFirstConnect: false,
    ...defined({ inboxPrefix: inbox }),
    ...(reconnectDelay === undefined ? {} : forEver(reconnectDelay)),
  };
}

/** @throws RelightError `secret.malformed` */
function authenticatorOf(credentials: string): Authenticator {
  if (/^SU[A-Z2-7]{56}$/.test(credentials)) return nkeyAuthenticator(Buffer.from(credentials));
  // The client's parser needs a newline at the end, which secret stores and editors drop, and none of Windows.
  if (!credentials.startsWith("{")) return credsAuthenticator(Buffer.from(`${credentials.replaceAll("\r\n", "\n")}\n`));
  const { user, password, token } = parseJsonObject(credentials) ?? {};
  if (typeof token === "string") return tokenAuthenticator(token);
  if (typeof user === "string") return usernamePasswordAuthenticator(user, String(password ?? ""));
  throw new RelightError("secret.malformed", "the credentials are JSON without a user or token");
}

/** Reconnects forever, also after refusals, because a starting server may refuse everybody for a while. */
function forEver(reconnectDelayHandler: () => number): DialOptions {
  const pings = { pingInterval: HEARTBEAT, maxPingOut: 2 };
  return {
    ...pings,
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler,
  };
}

/** A server allows two seconds for the sign-in. On a busy machine they may pass before it reads what was sent. */
const isLate = (cause: unknown): boolean => /authentication timeout/i.test(messageOf(cause));

/** Node's errors may come from another realm, where `instanceof Error` is false. */
const messageOf = (cause: unknown): string =>
  String((cause as { readonly message?: string } | undefined)?.message ?? cause);

/** A server that closed the connection during a write may have sent a reason, which another attempt may receive. */
const wasCutOff = (cause: unknown): boolean => isLate(cause) || /\b(EPIPE|ECONNRESET)\b/.test(messageOf(cause));

const isRefusal = (cause: unknown): boolean =>
  !isLate(cause) && (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError);

function connectError(cause: unknown, servers: readonly string[]): RelightError {
  const reason = messageOf(cause);
  const where = servers.join(", ");
  if (reason === "unable to parse credentials")
    return new RelightError("secret.malformed", "the credentials are not a NATS credentials file (.creds)", {
      cause,
    });
  if (isLate(cause))
    return new RelightError("nats.unreachable", `${where} did not answer the sign-in in time: ${reason}`, {
      cause,
    });
  if (isRefusal(cause))
    return new RelightError("nats.unauthorized", `${where} refused the credentials: ${reason}`, { cause });
  const why = reason.includes("undefined error") ? "it closed the connection without a reason" : reason;
  return new RelightError("nats.unreachable", `cannot reach ${where}: ${why}`, { cause });
}
