import { gunzipSync, gzipSync } from "node:zlib";
import type { EntryKind } from "../../../domain/journal/journal.ts";
import { entryData, type JsonObject } from "../../../domain/time/json.ts";
import { truncate } from "../../../domain/time/truncate.ts";
import { RelightError } from "../../../errors.ts";

/**
 * Data of at least this many bytes is compressed. That saves write units, twice with the index. Shorter data stays text,
 * which a person can read in the AWS console.
 */
const ZIPPED_FROM = 4 * 1024;
/** DynamoDB allows 400 KB for an item *and* its copy in the local index. The rest is for keys and attribute names. */
const MOST_BYTES = 190 * 1024;

export interface PackedData {
  readonly data?: string;
  readonly zipped?: Uint8Array;
}

/**
 * The data as stored: text, because DynamoDB's own types cannot represent all JSON. If it is too large even when
 * compressed, its largest parts are cut, and it says which.
 * @throws RelightError `journal.entry_too_large` if undo data would have to be cut.
 */
export function packData(kind: EntryKind, data: JsonObject): PackedData {
  let kept: JsonObject | undefined = data;
  let bytes = 0;
  while (kept !== undefined) {
    const packed = pack(kept);
    bytes = packed.zipped?.length ?? 0;
    if (bytes <= MOST_BYTES) return packed;
    kept = truncate(kept);
  }
  const message = `an entry ${kind} has ${bytes} bytes when compressed, but DynamoDB holds at most ${MOST_BYTES}`;
  throw new RelightError("journal.entry_too_large", message, { details: { kind, bytes, most: MOST_BYTES } });
}

function pack(data: JsonObject): PackedData {
  const text = JSON.stringify(data);
  return Buffer.byteLength(text) < ZIPPED_FROM ? { data: text } : { zipped: gzipSync(text) };
}

/** Reverses {@link packData}, except for what it cut. Data that it did not write becomes empty. */
export function unpackData({ data, zipped }: Readonly<Record<string, unknown>>): JsonObject {
  return entryData(zipped instanceof Uint8Array ? unzip(zipped) : String(data));
}

/** The maximum uncompressed size, because small data could decompress to an enormous text. */
const MOST_UNZIPPED = 64 * 1024 * 1024;

function unzip(zipped: Uint8Array): string {
  try {
    return gunzipSync(zipped, { maxOutputLength: MOST_UNZIPPED }).toString("utf8");
  } catch {
    return "";
  }
}
