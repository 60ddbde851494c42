import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RelightError } from "../../errors.ts";
import { readText } from "../../files/read-text.ts";
import type { JwtCodec } from "../../ports/keys.ts";
import type { SourceEntry } from "../../ports/source.ts";
import { entryOf } from "./source-entry.ts";

/** More than any account JWT, because servers refuse far shorter control lines. Bytes. */
const LARGEST = 1_048_576;

/**
 * Account JWTs in a folder: every `*.jwt` file, except those of operators and users.
 * @throws RelightError `source.unavailable` if the folder can't be read.
 */
export async function* jwtFolder(folder: string, codec: JwtCodec): AsyncIterable<SourceEntry> {
  const names = await namesIn(folder);
  for (const name of names.filter((entry) => entry.endsWith(".jwt"))) {
    const place = join(folder, name);
    const entry = await readJwt(place, codec);
    if (entry !== undefined) yield entry;
  }
}

/** The names in a folder, in order. @throws RelightError `source.unavailable` */
export async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    const what = cause.code === "ENOENT" ? "does not exist" : `can't be read: ${cause.code}`;
    throw new RelightError("source.unavailable", `${folder} ${what}`, { cause, details: { folder } });
  });
  return names.sort();
}

/** Reads one file, as `entryOf` does its text. */
export async function readJwt(place: string, codec: JwtCodec): Promise<SourceEntry | undefined> {
  try {
    return entryOf(place, readText(place, LARGEST), codec);
  } catch (cause) {
    return { ok: false, place, problem: `it ${(cause as Error).message}` };
  }
}
