import type { NatsConnection } from "@nats-io/transport-node";
import type { MemoryAsset } from "../../../domain/ladder/memory.ts";
import { nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { asRelightError } from "../../../errors.ts";
import { CONSUMER_NOT_FOUND, STREAM_NOT_FOUND } from "../probes/api-codes.ts";
import { type ApiAnswer, requestApi } from "./api-requests.ts";

/** Every subject that {@link recreateAsset} may ask on. */
export function recreationSubjects({ stream, config, consumers }: MemoryAsset): readonly string[] {
  const own = ["CREATE", "INFO", "PURGE", "UPDATE"].map((verb) => `$JS.API.STREAM.${verb}.${stream}`);
  const names = consumers.map(nameOfConsumer);
  return [
    ...(config === undefined ? [] : own),
    ...names.map((name) => `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`),
    ...names.map((name) => `$JS.API.CONSUMER.INFO.${stream}.${name}`),
  ];
}

/** An asset's stream, and each of its consumers by itself: there may be more than one user can be allowed to make. */
export function piecesOf({ consumers, ...asset }: MemoryAsset): readonly MemoryAsset[] {
  const own = asset.config === undefined ? [] : [{ ...asset, consumers: [] }];
  return [...own, ...consumers.map((consumer) => ({ stream: asset.stream, consumers: [consumer] }))];
}

/** Makes a stream and its consumers anew; what exists is left alone. Each is tried. Gives what failed, with its reason. */
export async function recreateAsset(
  connection: NatsConnection,
  asset: MemoryAsset,
  timeout: Millis,
): Promise<readonly string[]> {
  const request: Request = (subject, body) =>
    requestApi(connection, subject, body === undefined ? "" : JSON.stringify(body), timeout);
  const { stream, config, consumers } = asset;
  const failed = config === undefined ? undefined : await reasonOf(() => recreateStream(request, asset));
  if (failed !== undefined) return [`stream ${stream} could not be made anew: ${failed}`];
  const failures: string[] = [];
  for (const consumer of consumers) {
    const why = await reasonOf(() => recreateConsumer(request, stream, consumer));
    const name = nameOfGroup({ stream, consumer: nameOfConsumer(consumer) });
    if (why !== undefined) failures.push(`consumer ${name} could not be made anew: ${why}`);
  }
  return failures;
}

type Request = (subject: string, body?: JsonObject) => Promise<ApiAnswer>;

/** A lost connection is for the caller; anything else is why this one asset failed. */
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
 * The new stream goes on where the old one ended: a mirror takes nothing from an origin that is behind it (ran: 2.9.10,
 * 2.15.1), and revisions of a KV bucket must never come again. Servers before 2.10 know no `first_seq`, and it would
 * stay in the configuration; but a purge up to a sequence moves an empty stream there (ran: 2.9.10, 2.10.27, 2.15.1).
 * Nobody may publish before it, so the stream has another subject until then.
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

/** A copy fills itself: what it takes at once must not be purged. */
const canGoOn = ({ mirror, sources, subjects }: JsonObject): boolean =>
  !mirror && !sources && Array.isArray(subjects) && subjects.length > 0;

const placeholder = (stream: string): string => `_relight.anew.${stream}`;

/** What may never be purged can't be set to go on, either; an update may turn that on. */
const halfMade = (stream: string): JsonObject => ({ subjects: [placeholder(stream)], deny_purge: false });

/** Whether a job that died left the stream with the subject that nobody publishes to. */
function isHalfMade(stream: string, { config }: JsonObject): boolean {
  const subjects = (config as JsonObject | undefined)?.["subjects"];
  return Array.isArray(subjects) && subjects.includes(placeholder(stream));
}

async function recreateConsumer(
  request: Request,
  stream: string,
  config: JsonObject,
): Promise<string | undefined> {
  const name = nameOfConsumer(config);
  const known = await request(`$JS.API.CONSUMER.INFO.${stream}.${name}`);
  if (known.state === "done") return undefined;
  if (known.state === "silent" || known.code !== CONSUMER_NOT_FOUND) return known.reason;
  const subject = `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`;
  return reasonIn(await request(subject, { stream_name: stream, config }));
}

const reasonIn = (answer: ApiAnswer): string | undefined =>
  answer.state === "done" ? undefined : answer.reason;
