import {
  ClosedConnectionError,
  type Msg,
  type NatsConnection,
  NoRespondersError,
  PermissionViolationError,
  type QueuedIterator,
  TimeoutError,
} from "@nats-io/transport-node";
import { defined } from "../../../domain/time/defined.ts";
import { isJsonObject, type JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { inTurn } from "./in-flight.ts";

/**
 * When to repeat an unanswered request, in milliseconds since the first one, within the timeout. Late answers to earlier
 * requests count, so requests made this way must be read-only.
 */
const AGAIN_AFTER = [1_000, 3_000] as const;

/**
 * Sends a request and returns the first answer; repeats it with growing pauses until `timeout`. "No responders"
 * ({@link isNoResponders}) is an answer too, and comes at once.
 * @throws RelightError `nats.*`
 */
export async function ask(connection: NatsConnection, subject: string, body: string, timeout: Millis): Promise<Msg> {
  let answer: Msg | undefined;
  const take = (reply: Msg): boolean => {
    answer ??= reply;
    return true;
  };
  await put(connection, subject, body, { timeout, take, again: AGAIN_AFTER });
  if (answer === undefined) throw silence(subject, timeout);
  return answer;
}

/** Sends a request once, for writes that must not be repeated. @throws RelightError `nats.*` */
export async function order(connection: NatsConnection, subject: string, body: string, timeout: Millis): Promise<Msg> {
  try {
    return await connection.request(subject, body, { timeout });
  } catch (cause) {
    throw requestError(cause, connection, subject, timeout);
  }
}

/** Which answers to wait for, and how long. */
export interface Gathering {
  readonly timeout: Millis;
  readonly enough: (answers: readonly Msg[]) => boolean;
  /** A weaker condition on each server's latest answer: enough if no other answer arrives within `pause`. */
  readonly unlessMore?: { readonly enough: (answers: readonly Msg[]) => boolean; readonly pause: Millis };
}

/**
 * Sends a request to every server and collects one answer of each until there are `enough` or `timeout` is over; repeats
 * the request like {@link ask}. Too few answers are not an error here, because the caller knows how many to expect.
 */
export async function gather(
  connection: NatsConnection,
  subject: string,
  body: string,
  { timeout, enough, unlessMore }: Gathering,
): Promise<readonly Msg[]> {
  const answers = new Map<string, Msg>();
  const latest = new Map<string, Msg>();
  const pause = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const take = (reply: Msg): boolean => {
    const server = serverOf(reply) ?? `the answer ${answers.size}`;
    const isNew = !answers.has(server);
    latest.set(server, reply);
    if (isNew) {
      answers.set(server, reply);
      clearTimeout(timer);
      timer = undefined;
    }
    if (timer === undefined && unlessMore?.enough([...latest.values()]))
      timer = setTimeout(pause.resolve, unlessMore.pause);
    return enough([...answers.values()]);
  };
  try {
    await put(connection, subject, body, { timeout, take, again: AGAIN_AFTER, until: pause.promise });
  } finally {
    clearTimeout(timer);
  }
  return [...answers.values()];
}

/** Like {@link gather}, but sends once: for writes, and for requests whose answers do not name their server. */
export async function gatherOnce(
  connection: NatsConnection,
  subject: string,
  body: string,
  { timeout, enough }: Gathering,
): Promise<readonly Msg[]> {
  const answers: Msg[] = [];
  const take = (reply: Msg): boolean => {
    answers.push(reply);
    return enough(answers);
  };
  await put(connection, subject, body, { timeout, take, again: [] });
  return answers;
}

interface Putting {
  readonly timeout: Millis;
  /** Receives each answer; returns true if no more are needed. */
  readonly take: (reply: Msg) => boolean;
  readonly again: readonly number[];
  /** Ends the wait. */
  readonly until?: Promise<void>;
}

/** Sends a request, when its turn comes, and repeats it at these times until there are enough answers or the timeout. */
async function put(
  connection: NatsConnection,
  subject: string,
  body: string,
  { timeout, take, again, until }: Putting,
): Promise<void> {
  await inTurn(connection, async () => {
    const heard = Promise.withResolvers<void>();
    const open = new Set<QueuedIterator<Msg>>();
    const timers: NodeJS.Timeout[] = [];
    let isOver = false;
    const putAt = async (after: number): Promise<void> => {
      const options = { strategy: "timer", maxWait: timeout - after } as const;
      const replies = (await connection.requestMany(subject, body, options)) as QueuedIterator<Msg>;
      if (isOver) return replies.stop();
      open.add(replies);
      for await (const reply of replies) {
        if (isOver) return;
        if (take(reply)) heard.resolve();
      }
    };
    // A plain timer, because most requests are answered at once, and what can be aborted costs more than the request.
    const putLater = (after: number): Promise<void> =>
      new Promise((resolve, reject) => {
        timers.push(setTimeout(() => putAt(after).then(resolve, reject), after));
      });
    try {
      const puts = [putAt(0), ...again.filter((after) => after < timeout).map(putLater)];
      await Promise.race([heard.promise, ...(until === undefined ? [] : [until]), Promise.all(puts)]);
    } catch (cause) {
      throw requestError(cause, connection, subject, timeout);
    } finally {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
      for (const replies of open) replies.stop();
    }
    if (connection.isClosed()) throw lost(subject);
  });
}

/** The id of the server that answered, if the answer contains it. */
function serverOf(reply: Msg): string | undefined {
  try {
    const answer = jsonOf(reply);
    const server = isJsonObject(answer) ? answer["server"] : undefined;
    return isJsonObject(server) && typeof server["id"] === "string" ? server["id"] : undefined;
  } catch {
    // The caller judges answers that are not JSON.
    return undefined;
  }
}

/** Converts the client's errors to RelightErrors. */
export function requestError(
  cause: unknown,
  connection: NatsConnection,
  subject: string,
  timeout: Millis,
): RelightError {
  const chain = causes(cause);
  const is = (type: new (...args: never[]) => Error): boolean => chain.some((error) => error instanceof type);
  if (is(NoRespondersError)) return new RelightError("nats.timeout", `nothing answers ${subject}`, { cause });
  if (is(PermissionViolationError))
    return new RelightError("nats.unauthorized", `the user may not publish to ${subject}`, { cause });
  // A closing connection rejects requests with a plain RequestError before it reports that it is closed.
  const closing = chain.some(({ message }) => message === "connection closed");
  if (closing || is(ClosedConnectionError) || connection.isClosed()) return lost(subject, cause);
  if (is(TimeoutError)) return silence(subject, timeout, cause);
  const message = chain[0]?.message ?? String(cause);
  return new RelightError("nats.bad_answer", `${subject}: ${message}`, { cause });
}

function causes(thrown: unknown): readonly Error[] {
  return thrown instanceof Error ? [thrown, ...causes(thrown.cause)] : [];
}

/** Nobody answered in time. */
export function silence(subject: string, timeout: Millis, cause?: unknown): RelightError {
  const message = `no answer to ${subject} within ${timeout} ms`;
  return new RelightError("nats.timeout", message, defined({ cause }));
}

export function lost(subject: string, cause?: unknown): RelightError {
  return new RelightError("nats.connection_lost", `the connection was lost during the request ${subject}`, {
    cause,
  });
}

/** Whether nothing subscribes to the subject, in contrast to a missing answer. */
export function isNoResponders(error: unknown): boolean {
  return causes(error).some((cause) => cause instanceof NoRespondersError);
}

/** What answers contain, because several places read the same answer. Nobody changes it. */
const parsed = new WeakMap<Msg, { readonly value: unknown }>();

/** @throws SyntaxError */
function jsonOf(message: Msg): unknown {
  const known = parsed.get(message) ?? { value: message.json<unknown>() };
  parsed.set(message, known);
  return known.value;
}

/** The JSON object in an answer. @throws RelightError `nats.bad_answer` */
export function readJson(message: Msg): JsonObject {
  const value = (() => {
    try {
      return jsonOf(message);
    } catch (cause) {
      throw new RelightError("nats.bad_answer", `the answer on ${message.subject} is not JSON`, { cause });
    }
  })();
  if (!isJsonObject(value)) throw new RelightError("nats.bad_answer", "an answer is not a JSON object");
  return value;
}
