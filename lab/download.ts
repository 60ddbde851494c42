import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Shared by the sources of server binaries: runs programs, fetches files and checks them. */

const run = promisify(execFile);

/** A tool's standard output. @throws Error with its message, or that it is missing. */
export async function output(command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv } = {}) {
  const { stdout } = await run(command, args, { maxBuffer: 256 * 1024 * 1024, timeout: 300_000, ...options });
  return stdout;
}

/** Fetches a file, within two minutes. @throws Error naming the file and what went wrong. */
export async function fetchFile(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(120_000) }).catch((error: Error) => {
    throw new Error(
      `${fileName(url)} can't be reached (${(error.cause as Error | undefined)?.message ?? error.message})`,
    );
  });
  if (!response.ok) throw new Error(`${fileName(url)}: HTTP ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

/** The same, checked against its SHA-256 and written to `path`. */
export async function fetchChecked(url: string, sha256: string, path: string): Promise<void> {
  const content = await fetchFile(url);
  const actual = createHash("sha256").update(content).digest("hex");
  if (actual !== sha256) throw new Error(`${fileName(url)} has SHA-256 ${actual}, but should have ${sha256}`);
  await writeFile(path, content);
}

const fileName = (url: string): string => url.slice(url.lastIndexOf("/") + 1);
