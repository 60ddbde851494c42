import type { NatsConnection } from "@nats-io/transport-node";
import type { MemoryAsset } from "../../../domain/ladder/memory.ts";
import { nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { asRelightError } from "../../../errors.ts";
import { CONSUMER_NOT_FOUND, STREAM_NOT_FOUND } from "../probes/api-codes.ts";
import { type ApiAnswer, requestApi } from "./api-requests.ts";

/** All API subjects that {@link recreateAsset} may use. */
export function recreationSubjects({ stream, config, consumers }: MemoryAsset): readonly string[] {
  const own = ["CREATE", "INFO", "PURGE", "UPDATE"].map((verb) => `$JS.API.STREAM.${verb}.${stream}`);
  const names = consumers.map(nameOfConsumer);
  return [
    ...(config === undefined ? [] : own),
    ...names.map((name) => `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`),
    ...names.map((name) => `$JS.API.CONSUMER.INFO.${stream}.${name}`),
  ];
}

/** The stream, and each consumer separately, because one user may not have room for all permissions. */
export function piecesOf({ consumers, ...asset }: MemoryAsset): readonly MemoryAsset[] {
  const own = asset.config === undefined ? [] : [{ ...asset, consumers: [] }];
  return [...own, ...consumers.map((consumer) => ({ stream: asset.stream, consumers: [consumer] }))];
}

/** Recreates a stream and its consumers, and keeps those that exist. Tries each, and returns the failures with their reasons. */
export async function recreateAsset(
  connection: NatsConnection,
  asset: MemoryAsset,
  timeout: Millis,
): Promise<readonly string[]> {
  const request: Request = (subject, body) =>
    requestApi(connection, subject, body === undefined ? "" : JSON.stringify(body), timeout);
  const { stream, config, consumers } = asset;
  const failed = config === undefined ? undefined : await reasonOf(() => recreateStream(request, asset));
  if (failed !== undefined) return [`stream ${stream} could not be recreated: ${failed}`];
  const failures: string[] = [];
  for (const consumer of consumers) {
    const why = await reasonOf(() => recreateConsumer(request, stream, consumer));
    const name = nameOfGroup({ stream, consumer: nameOfConsumer(consumer) });
    if (why !== undefined) failures.push(`consumer ${name} could not be recreated: ${why}`);
  }
  return failures;
}

type Request = (subject: string, body?: JsonObject) => Promise<ApiAnswer>;

/** Rethrows lost connections; other errors are the reason why this asset failed. */
async function reasonOf(work: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await work();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code === "nats.connection_lost") throw error;
    return error.message;
  }
}

const nameOfConsumer = (config: JsonObject): string => String(config["durable_name"]);

/**
 * Recreates a stream that continues at the old one's sequence, because a mirror receives nothing from an origin that is
 * behind it (tested on 2.9.10, 2.15.1), and revisions of a KV bucket must not repeat. Does not use `first_seq`, which
 * servers before 2.10 do not know and which would stay in the configuration. Instead, a purge up to a sequence moves an
 * empty stream there (tested on 2.9.10, 2.10.27, 2.15.1). Until then the stream has an unused subject, so nobody publishes.
 */
async function recreateStream(
  request: Request,
  { stream, config = {}, lastSeq }: MemoryAsset,
): Promise<string | undefined> {
  const known = await request(`$JS.API.STREAM.INFO.${stream}`);
  const isMissing = known.state === "refused" && known.code === STREAM_NOT_FOUND;
  if (!isMissing && known.state !== "done") return known.reason;
  if (known.state === "done" && !isHalfMade(stream, known.body)) return undefined;
  if (lastSeq === undefined || !canGoOn(config))
    return reasonIn(await request(`$JS.API.STREAM.CREATE.${stream}`, config));
  const steps: readonly (readonly [string, JsonObject])[] = [
    ...(isMissing ? [["CREATE", { ...config, ...halfMade(stream) }] as const] : []),
    ["PURGE", { seq: lastSeq + 1 }],
    ["UPDATE", config],
  ];
  for (const [verb, body] of steps) {
    const reason = reasonIn(await request(`$JS.API.STREAM.${verb}.${stream}`, body));
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Not for mirrors and sources, which receive messages at once that must not be purged. */
const canGoOn = ({ mirror, sources, subjects }: JsonObject): boolean =>
  !mirror && !sources && Array.isArray(subjects) && subjects.length > 0;

const placeholder = (stream: string): string => `_relight.anew.${stream}`;

/** Allows purging at first; a later update may forbid it. */
const halfMade = (stream: string): JsonObject => ({ subjects: [placeholder(stream)], deny_purge: false });

/** Whether a crashed job left the stream with its unused subject. */
function isHalfMade(stream: string, { config }: JsonObject): boolean {
  const subjects = (config as JsonObject | undefined)?.["subjects"];
  return Array.isArray(subjects) && subjects.includes(placeholder(stream));
}

async function recreateConsumer(request: Request, stream: string, config: JsonObject): Promise<string | undefined> {
  const name = nameOfConsumer(config);
  const known = await request(`$JS.API.CONSUMER.INFO.${stream}.${name}`);
  if (known.state === "done") return undefined;
  if (known.state === "silent" || known.code !== CONSUMER_NOT_FOUND) return known.reason;
  const subject = `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`;
  return reasonIn(await request(subject, { stream_name: stream, config }));
}

const reasonIn = (answer: ApiAnswer): string | undefined => (answer.state === "done" ? undefined : answer.reason);
