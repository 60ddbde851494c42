import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Readable } from "node:stream";

/** More than any configuration, manifest, secret or JWT has; bytes. */
export const MOST_TEXT = 16 * 1024 * 1024;

/** A file that was not read. Its message follows the file's name: "x.yaml does not exist". */
export class UnreadableFile extends Error {
  readonly why: "missing" | "folder" | "device" | "large" | "failed";

  constructor(why: UnreadableFile["why"], message: string, cause?: unknown) {
    super(message, { cause });
    this.why = why;
  }
}

/**
 * A file's text. Pipes are read to their end; devices such as `/dev/zero`, which have none, are refused.
 * @throws UnreadableFile
 */
export function readText(path: string, most: number = MOST_TEXT): string {
  const descriptor = openText(path);
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for (const chunk of chunksOf(descriptor)) {
      size += chunk.length;
      if (size > most) throw tooLarge(most);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } finally {
    closeSync(descriptor);
  }
}

/** A stream's text, such as standard input's. @throws UnreadableFile */
export async function readStream(stream: Readable, most: number = MOST_TEXT): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > most) throw tooLarge(most);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Opens a file or a pipe for reading. The caller closes it. @throws UnreadableFile */
export function openText(path: string): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (cause) {
    throw failure(cause);
  }
  const kind = fstatSync(descriptor);
  if (kind.isFile() || kind.isFIFO()) return descriptor;
  closeSync(descriptor);
  if (kind.isDirectory()) throw new UnreadableFile("folder", "is a folder, not a file");
  throw new UnreadableFile("device", "is a device, not a file");
}

/** Whether every user of this machine can read the file; false for what is not there. */
export function isReadableByAll(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return process.platform !== "win32" && found !== undefined && (found.mode & 0o004) !== 0;
}

/** The bytes of an open file or pipe, piece by piece. @throws UnreadableFile */
export function* chunksOf(descriptor: number): Iterable<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(65_536);
    const length = readSome(descriptor, chunk);
    if (length === 0) return;
    yield chunk.subarray(0, length);
  }
}

/** A pipe that another process does not wait on has nothing yet (EAGAIN). */
function readSome(descriptor: number, chunk: Buffer): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw failure(cause);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

const tooLarge = (most: number): UnreadableFile =>
  new UnreadableFile("large", `is larger than ${Math.round(most / 1024 / 1024)} MiB`);

function failure(cause: unknown): UnreadableFile {
  const { code = "unknown error" } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return new UnreadableFile("missing", "does not exist", cause);
  if (code === "EISDIR") return new UnreadableFile("folder", "is a folder, not a file", cause);
  return new UnreadableFile("failed", `can't be read: ${code}`, cause);
}
