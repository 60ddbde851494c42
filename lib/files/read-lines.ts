import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import { createGunzip } from "node:zlib";
import { openText } from "./read-text.ts";

/** Of a longer line the rest is skipped. nats-server's own are far shorter; characters. */
const LONGEST_LINE = 4_096;
/** A log must end. Bytes, unpacked. */
const MOST_LOG = 1024 ** 3;

/**
 * Calls `take` for each line of a file, or of standard input for `-`. What is packed with gzip is unpacked.
 * @throws Error whose message follows the file's name
 */
export async function eachLine(path: string, take: (line: string) => void): Promise<void> {
  const bytes = path === "-" ? process.stdin : createReadStream("", { fd: openText(path) });
  const decoder = new StringDecoder("utf8");
  let line = "";
  let size = 0;
  for await (const chunk of unpacked(bytes)) {
    size += chunk.length;
    if (size > MOST_LOG) throw new Error("has more than 1 GiB; explain a part of it");
    const [first = "", ...others] = decoder.write(chunk).split(/\r?\n/);
    line = (line + first).slice(0, LONGEST_LINE);
    for (const next of others) {
      take(line);
      line = next.slice(0, LONGEST_LINE);
    }
  }
  take(line);
}

/** Tells gzip by its first two bytes, whatever the file is called. */
async function* unpacked(bytes: Readable): AsyncIterable<Buffer> {
  const chunks = bytes[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await chunks.next();
  if (first.done === true) return;
  const all = rejoined(first.value, chunks);
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) return yield* all;
  const gunzip = createGunzip();
  // Who reads gets its errors.
  pipeline(Readable.from(all), gunzip, () => undefined);
  yield* gunzip as AsyncIterable<Buffer>;
}

async function* rejoined(first: Buffer, rest: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
