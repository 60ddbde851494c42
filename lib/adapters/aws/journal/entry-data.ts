import { gunzipSync, gzipSync } from "node:zlib";
import type { EntryKind } from "../../../domain/journal/journal.ts";
import { entryData, type JsonObject } from "../../../domain/time/json.ts";
import { truncate } from "../../../domain/time/truncate.ts";
import { RelightError } from "../../../errors.ts";

/**
 * From this many bytes on data is compressed: four write units, which compression makes one or two of, and twice
 * that with the indexes. What is shorter stays text that a person can read in AWS's console.
 */
const ZIPPED_FROM = 4 * 1024;
/**
 * DynamoDB takes 400 KB for an item *and* its copies in local indexes together, and there is one such index; the
 * rest is for keys and for the names of attributes.
 */
const MOST_BYTES = 190 * 1024;

export interface PackedData {
  readonly data?: string;
  readonly zipped?: Uint8Array;
}

/**
 * Data as it is stored: text, since DynamoDB's own types would lose what they have no word for. What is too large
 * even when compressed loses its largest parts, and says which.
 * @throws RelightError `journal.entry_too_large` if that would take what a remedy must give back.
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
  const message = `an entry ${kind} of ${bytes} bytes, compressed, is larger than the ${MOST_BYTES} that DynamoDB holds`;
  throw new RelightError("journal.entry_too_large", message, { details: { kind, bytes, most: MOST_BYTES } });
}

function pack(data: JsonObject): PackedData {
  const text = JSON.stringify(data);
  return Buffer.byteLength(text) < ZIPPED_FROM ? { data: text } : { zipped: gzipSync(text) };
}

/** What {@link packData} was given, less what it cut; nothing of what it did not write. */
export function unpackData({ data, zipped }: Readonly<Record<string, unknown>>): JsonObject {
  return entryData(zipped instanceof Uint8Array ? unzip(zipped) : String(data));
}

/** Text of a thousand times its size could be in there: what is larger than any entry is none. */
const MOST_UNZIPPED = 64 * 1024 * 1024;

function unzip(zipped: Uint8Array): string {
  try {
    return gunzipSync(zipped, { maxOutputLength: MOST_UNZIPPED }).toString("utf8");
  } catch {
    return "";
  }
}
