import type { StreamFacts } from "../observation/observation.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";

/**
 * A stream or consumers in memory. If a server drops an account's JetStream, the stream is not only emptied but gone
 * (tested on 2.9.10 and 2.10.27), and publishers get 503 until it is recreated.
 */
export interface MemoryAsset {
  readonly stream: string;
  /** Absent if the stream is on file and only consumers are in memory. */
  readonly config?: JsonObject;
  readonly consumers: readonly JsonObject[];
  /** The sequence at which a recreated stream continues; absent if it starts over. */
  readonly lastSeq?: number;
}

/** The streams and durable consumers in memory, with everything needed to recreate them. */
export function memoryAssets(streams: readonly StreamFacts[]): readonly MemoryAsset[] {
  return streams.flatMap(({ name: stream, storage, config, consumers }): MemoryAsset[] => {
    const inMemory = consumers.filter((consumer) => consumer.durable && consumer.storage === "memory");
    const configs = inMemory.map((consumer) => consumer.config);
    if (storage === "memory") return [{ stream, config, consumers: configs }];
    return configs.length === 0 ? [] : [{ stream, consumers: configs }];
  });
}

/** The same with each stream's last sequence, just before they are emptied. */
export function memoryAssetsNow(streams: readonly StreamFacts[]): readonly MemoryAsset[] {
  const ends = new Map(streams.map(({ name, lastSeq }) => [name, lastSeq]));
  return memoryAssets(streams).map((asset) => {
    const lastSeq = ends.get(asset.stream) ?? 0;
    return asset.config === undefined || lastSeq === 0 ? asset : { ...asset, lastSeq };
  });
}

/** `stream CACHE`, or `1 consumer of stream ORDERS`, for people. */
export function describeMemoryAsset({ stream, config, consumers }: MemoryAsset): string {
  if (config !== undefined) return `stream ${stream}`;
  return `${consumers.length} consumer${consumers.length === 1 ? "" : "s"} of stream ${stream}`;
}

/** Reads {@link memoryAssets} back from the journal. */
export function readMemoryAssets(value: Json | undefined): readonly MemoryAsset[] {
  return Array.isArray(value) ? (value.filter(isJsonObject) as unknown as readonly MemoryAsset[]) : [];
}
