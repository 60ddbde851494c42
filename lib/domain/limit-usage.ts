import type { JsonObject } from "./json.ts";
import { loweredClaims, storageOf } from "./limit-changes.ts";
import type { Observation, StreamFacts } from "./observation.ts";
import { formatSize } from "./sizes.ts";

/** What a limit may not fall below, because it is in use already. */
interface Use {
  /** Bytes, streams or messages in use. */
  readonly used: number;
  readonly what: string;
  readonly show: (value: number) => string;
}

const plain = (value: number): string => (value < 0 ? "no limit" : String(value));

/**
 * Why lowered limits would fall below what is in use; empty if they don't. Servers would accept them, and
 * then refuse to store, to update streams or to make consumers.
 * @param tier whose limits they are; absent for flat ones, which count every replica.
 */
export function belowUse(
  before: JsonObject,
  after: JsonObject,
  { streams }: Pick<Observation, "streams">,
  tier: string | undefined,
): readonly string[] {
  const lowered = loweredClaims(before, after);
  if (lowered.length === 0) return [];
  if (!streams.ok)
    return [
      `what is in use is unknown (${streams.message}), so ${lowered.join(", ")} can't be lowered safely`,
    ];
  const inTier = streams.value.filter(({ replicas }) => tier === undefined || tier === `R${replicas}`);
  return lowered.flatMap((claim) => objection(claim, after, usesOf(inTier, tier)));
}

function objection(claim: string, after: JsonObject, uses: Readonly<Record<string, Use>>): string[] {
  const use = uses[claim];
  if (use === undefined) return [];
  const limit = storageOf(after[claim]);
  const isNone = limit === 0 && (claim === "mem_storage" || claim === "disk_storage");
  const wanted = claim === "max_bytes_required" ? 0 : limit;
  if (wanted < 0 || (wanted === 0 && !isNone && claim !== "max_bytes_required") || use.used <= wanted)
    return [];
  const to = claim === "max_bytes_required" ? "on" : use.show(limit);
  return [`${claim} would be ${to}, but ${use.what} ${use.show(use.used)}`];
}

function usesOf(streams: readonly StreamFacts[], tier: string | undefined): Readonly<Record<string, Use>> {
  const of = (storage: StreamFacts["storage"]) => streams.filter((stream) => stream.storage === storage);
  const held = (storage: StreamFacts["storage"]): number =>
    sum(of(storage).map(({ bytes, replicas }) => bytes * (tier === undefined ? replicas : 1)));
  const largest = (storage: StreamFacts["storage"]): number =>
    most(of(storage).map(({ bytes, config }) => Math.max(bytes, storageOf(config["max_bytes"]))));
  const consumers = streams.flatMap((stream) => stream.consumers);
  const pending = consumers.map(({ config }) => storageOf(config["max_ack_pending"]));
  const unbounded = streams.filter(({ config }) => storageOf(config["max_bytes"]) <= 0);
  return {
    mem_storage: { used: held("memory"), what: "streams in memory hold", show: formatSize },
    disk_storage: { used: held("file"), what: "streams on disk hold", show: formatSize },
    streams: { used: streams.length, what: "the number of streams is", show: plain },
    // Servers count consumers per stream, whatever the claim is called.
    consumer: {
      used: most(streams.map((stream) => stream.consumers.length)),
      what: "the consumers of one stream are",
      show: plain,
    },
    max_ack_pending: { used: most(pending), what: "a consumer has max_ack_pending", show: plain },
    mem_max_stream_bytes: { used: largest("memory"), what: "a stream in memory has", show: formatSize },
    disk_max_stream_bytes: { used: largest("file"), what: "a stream on disk has", show: formatSize },
    max_bytes_required: {
      used: unbounded.length,
      what: "the number of streams without max_bytes is",
      show: plain,
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const most = (values: readonly number[]): number => Math.max(0, ...values);
