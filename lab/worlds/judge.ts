/**
 * The independent judge: uses an account as its applications do, with the official clients and their defaults, and says
 * what works. Knows nothing of Relight.
 */
import {
  type ConsumerInfo,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { judgeBucket } from "./judge-buckets.ts";
import { codeOf, comes, needsConsumer, type Observed, textOf } from "./judge-tools.ts";
import { type BucketPlan, type ConsumerPlan, literalOf, type StreamPlan, type Way } from "./plan.ts";

export interface Subjects {
  readonly streams: readonly StreamPlan[];
  readonly buckets: readonly BucketPlan[];
  readonly ways: readonly Way[];
}

/** Where to connect, and the credentials of the account and of the one that it shares with. */
export interface Access {
  readonly servers: readonly string[];
  /** Those beyond the leafnode. */
  readonly edge: readonly string[];
  readonly account: string;
  readonly other: string;
}

/** Milliseconds. Mirrors and sources resume ten to fifteen seconds after their origin works again. */
const FOLLOWS_WITHIN = 20_000;
const DELIVERED_WITHIN = 5_000;
/** Any replica may answer a direct get. */
const DIRECT_GETS = 6;

/** An error of the API that refuses a message as the stream's own configuration says. */
const AS_CONFIGURED = [10077, 10054, 10109];
export const login = (
  access: Access,
  who: "account" | "other",
  where: "servers" | "edge" = "servers",
): Promise<NatsConnection> =>
  connect({
    servers: [...access[where]],
    authenticator: credsAuthenticator(Buffer.from(access[who])),
    reconnect: false,
    timeout: 5_000,
  });

/** Uses everything once. */
export async function judge(access: Access, subjects: Subjects): Promise<readonly Observed[]> {
  let connection: NatsConnection;
  try {
    connection = await login(access, "account");
  } catch (error) {
    return [{ use: "connect", state: "fails", why: textOf(error) }];
  }
  try {
    const round = crypto.randomUUID();
    const client = jetstream(connection);
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const tools = { connection, client, manager, round };
    const published = await Promise.all(subjects.streams.map((stream) => publishTo(tools, stream)));
    const rest = await Promise.all([
      ...subjects.streams.map((stream) => useStream(tools, stream, worked(published.flat(), stream.name))),
      ...subjects.streams.map((stream) => copyOf(tools, stream, subjects.streams, published.flat())),
      ...subjects.buckets.map((bucket) => judgeBucket(client, bucket, round)),
      ...subjects.ways.map((way) => cross(tools, access, way)),
    ]);
    return [...published.flat(), ...rest.flat()];
  } finally {
    await connection.close();
  }
}

interface Tools {
  readonly connection: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  /** The content of this round's messages. */
  readonly round: string;
}

const worked = (published: readonly Observed[], stream: string): boolean =>
  published.some((one) => one.stream === stream) &&
  published.filter((one) => one.stream === stream).every(({ state }) => state === "works");

async function publishTo(tools: Tools, stream: StreamPlan): Promise<readonly Observed[]> {
  const { client, round } = tools;
  const { name, subjects, isNoAck = false } = stream;
  const seen: Observed[] = [];
  for (const subject of subjects) {
    const use = `publish to ${subject}`;
    try {
      if (isNoAck) {
        seen.push({ stream: name, use, ...(await publishBlindly(tools, name, literalOf(subject))) });
        continue;
      }
      const { stream } = await client.publish(literalOf(subject), round);
      seen.push(
        stream === name
          ? { stream: name, use, state: "works" }
          : { stream: name, use, state: "fails", why: `stored in ${stream}` },
      );
    } catch (error) {
      const state = AS_CONFIGURED.includes(codeOf(error) ?? 0) ? "untestable" : "fails";
      seen.push({ stream: name, use, state, why: textOf(error) });
    }
  }
  return seen;
}

/** Publishes what no stream confirms, and looks whether it arrived. */
async function publishBlindly(
  { connection, manager, round }: Tools,
  stream: string,
  subject: string,
): Promise<Pick<Observed, "state" | "why">> {
  connection.publish(subject, round);
  await connection.flush();
  const hasIt = async (): Promise<boolean> =>
    (await manager.streams.getMessage(stream, { last_by_subj: subject }))?.string() === round;
  return (await comes(hasIt, DELIVERED_WITHIN)) ? { state: "works" } : { state: "fails", why: "it did not arrive" };
}

async function useStream(tools: Tools, stream: StreamPlan, hasNew: boolean): Promise<readonly Observed[]> {
  const one = (consumer: ConsumerPlan): Promise<Observed> => useConsumer(tools, stream, consumer, hasNew);
  const used = await Promise.all([
    ...(stream.allowDirect ? [getDirectly(tools, stream)] : []),
    ...(stream.retention === "limits" ? [readInOrder(tools, stream), ...stream.consumers.map(one)] : []),
  ]);
  // One after another, because these consumers remove messages for each other.
  if (stream.retention !== "limits") for (const consumer of stream.consumers) used.push(await one(consumer));
  return used;
}

async function getDirectly({ manager }: Tools, { name, subjects, replicas }: StreamPlan): Promise<Observed> {
  const last = literalOf(subjects[0] ?? "none");
  const failures: string[] = [];
  const attempts = replicas === 1 ? 2 : DIRECT_GETS;
  for (let count = 0; count < attempts; count++)
    // An answer of "not found" is an answer.
    await manager.direct.getMessage(name, { last_by_subj: last }).catch((error) => {
      if (!isNotFound(error)) failures.push(textOf(error));
    });
  const state = failures.length === 0 ? "works" : failures.length < attempts ? "partly" : "fails";
  return { stream: name, use: "direct get", state, ...(failures[0] === undefined ? {} : { why: failures[0] }) };
}

async function readInOrder({ client, manager }: Tools, { name }: StreamPlan): Promise<Observed> {
  const base = { stream: name, use: "ordered consumer" };
  try {
    const { state } = await manager.streams.info(name);
    if (state.messages === 0) return { ...base, state: "untestable", why: "the stream is empty" };
    const consumer = await client.consumers.get(name);
    const message = await consumer.next({ expires: DELIVERED_WITHIN });
    await consumer.delete().catch(() => undefined);
    return message === null ? { ...base, state: "fails", why: "no message" } : { ...base, state: "works" };
  } catch (error) {
    const state = needsConsumer(error) ? "untestable" : "fails";
    return { ...base, state, why: textOf(error) };
  }
}

async function useConsumer(
  tools: Tools,
  stream: StreamPlan,
  consumer: ConsumerPlan,
  hasNew: boolean,
): Promise<Observed> {
  const base = { stream: stream.name, consumer: consumer.name, use: consumer.kind === "pull" ? "fetch" : "receive" };
  try {
    const info = await tools.manager.consumers.info(stream.name, consumer.name);
    if (consumer.isPaused) return { ...base, state: "untestable", why: "the consumer is paused" };
    const message =
      consumer.kind === "pull"
        ? await fetchOne(tools, stream.name, consumer.name)
        : await receiveOne(tools, stream, consumer.name);
    if (message === undefined) return { ...base, ...nothingCame(info, hasNew) };
    if (consumer.ack === "none" || (await message.ackAck())) return { ...base, state: "works" };
    return { ...base, state: "fails", why: "the acknowledgment was not confirmed" };
  } catch (error) {
    // Clients create an ephemeral consumer again when it is gone.
    const isMissed = !(consumer.isEphemeral && isNotFound(error));
    return { ...base, state: isMissed ? "fails" : "untestable", why: textOf(error) };
  }
}

/** Without a message that the consumer could deliver, its silence says nothing. */
const nothingCame = ({ num_pending }: ConsumerInfo, hasNew: boolean): Pick<Observed, "state" | "why"> =>
  hasNew || num_pending > 0
    ? { state: "fails", why: "no message" }
    : { state: "untestable", why: "the consumer has no message to deliver" };

async function fetchOne({ client }: Tools, stream: string, name: string): Promise<JsMsg | undefined> {
  const consumer = await client.consumers.get(stream, name);
  return (await consumer.next({ expires: DELIVERED_WITHIN })) ?? undefined;
}

async function receiveOne(tools: Tools, stream: StreamPlan, name: string): Promise<JsMsg | undefined> {
  const consumer = await tools.client.consumers.getPushConsumer(stream.name, name);
  const messages = await consumer.consume();
  const timer = setTimeout(() => messages.stop(), DELIVERED_WITHIN);
  try {
    await tools.connection.flush();
    for await (const message of messages) return message;
    return undefined;
  } finally {
    clearTimeout(timer);
    messages.stop();
  }
}

/** Whether a mirror or source receives what was just published to its origins. */
async function copyOf(
  { manager, round }: Tools,
  { name, mirrorOf, sourcesOf = [] }: StreamPlan,
  all: readonly StreamPlan[],
  published: readonly Observed[],
): Promise<readonly Observed[]> {
  const origins = mirrorOf === undefined ? sourcesOf : [mirrorOf];
  const seen: Observed[] = [];
  for (const origin of origins) {
    const base = { stream: name, use: `follow ${origin}` };
    const subject = all.find((stream) => stream.name === origin)?.subjects[0];
    if (subject === undefined || !worked(published, origin)) {
      seen.push({ ...base, state: "untestable", why: `${origin} takes no message` });
      continue;
    }
    const query = { last_by_subj: literalOf(subject) };
    let last = "nothing";
    const hasIt = async (): Promise<boolean> => {
      const message = await manager.streams.getMessage(name, query).catch((error) => {
        last = textOf(error);
        return null;
      });
      if (message !== null) last = "an older message";
      return message?.string() === round;
    };
    const follows = await comes(hasIt, FOLLOWS_WITHIN);
    seen.push(follows ? { ...base, state: "works" } : { ...base, state: "fails", why: `it has ${last}` });
  }
  return seen;
}

/** Whether messages still cross from the other account. */
async function cross({ manager, round }: Tools, access: Access, way: Way): Promise<readonly Observed[]> {
  const { by, stream, subject } = way;
  const base = {
    stream,
    use: `publish to ${subject} ${by === "edge" ? "beyond the leafnode" : "from another account"}`,
  };
  try {
    const isEdge = by === "edge";
    const other = isEdge ? await login(access, "account", "edge") : await login(access, "other");
    const target = literalOf(subject);
    try {
      if (by === "export") {
        const reply = await other.request(target, `crossed ${round}`, { timeout: DELIVERED_WITHIN });
        const { error } = reply.json<{ error?: { description: string } }>();
        return [
          error === undefined ? { ...base, state: "works" } : { ...base, state: "fails", why: error.description },
        ];
      }
      const { config, state: before } = await manager.streams.info(stream);
      other.publish(target, `crossed ${round}`);
      await other.flush();
      // With interest retention a message that nobody waits for is counted and not kept.
      const hasIt = async (): Promise<boolean> =>
        config.retention === "interest"
          ? (await manager.streams.info(stream)).state.last_seq > before.last_seq
          : (await manager.streams.getMessage(stream, { last_by_subj: target }))?.string() === `crossed ${round}`;
      const arrived = await comes(hasIt, isEdge ? FOLLOWS_WITHIN : DELIVERED_WITHIN);
      return [arrived ? { ...base, state: "works" } : { ...base, state: "fails", why: "it did not arrive" }];
    } finally {
      await other.close();
    }
  } catch (error) {
    return [{ ...base, state: "fails", why: textOf(error) }];
  }
}

const isNotFound = (error: unknown): boolean => codeOf(error) === 10037 || /not found/i.test(textOf(error));
