import type { StreamFacts } from "../observation/observation.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";

/**
 * What exists in memory only. When a server drops an account's JetStream, it is not just emptied: the
 * stream itself is gone (tried on 2.9.10 and 2.10.27), and publishers get 503 until it is made anew.
 */
export interface MemoryAsset {
  readonly stream: string;
  /** Absent where the stream is on file and only consumers of it are in memory. */
  readonly config?: JsonObject;
  readonly consumers: readonly JsonObject[];
  /** Where a stream that is made anew is to go on; absent: from the start. */
  readonly lastSeq?: number;
}

/** The streams and durable consumers in memory, with all it takes to make them anew. */
export function memoryAssets(streams: readonly StreamFacts[]): readonly MemoryAsset[] {
  return streams.flatMap(({ name: stream, storage, config, consumers }): MemoryAsset[] => {
    const inMemory = consumers.filter((consumer) => consumer.durable && consumer.storage === "memory");
    const configs = inMemory.map((consumer) => consumer.config);
    if (storage === "memory") return [{ stream, config, consumers: configs }];
    return configs.length === 0 ? [] : [{ stream, consumers: configs }];
  });
}

/** The same with the end of each stream, for what is about to be emptied. */
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

/** Reads back what the journal kept of {@link memoryAssets}. */
export function readMemoryAssets(value: Json | undefined): readonly MemoryAsset[] {
  return Array.isArray(value) ? (value.filter(isJsonObject) as unknown as readonly MemoryAsset[]) : [];
}
