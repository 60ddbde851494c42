/**
 * Compares bundles of the functions: `node scripts/bundles.ts FOLDER…`, where a folder is a `dist/functions` (by default
 * this checkout's). For each: the size of its zip, the size of what an import loads, and how long the import takes in a new
 * process (median of 21).
 */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const TIMES = 21;

/** Prints how long the import took, in milliseconds, and the files that it loaded. */
const IMPORT = `
import { registerHooks } from "node:module";
const loaded = [];
registerHooks({ load: (url, context, next) => (url.startsWith("file:") && loaded.push(url), next(url, context)) });
const began = performance.now();
await import(process.argv[1]);
console.log(JSON.stringify({ millis: performance.now() - began, loaded }));
process.exit();
`;

interface Import {
  readonly millis: number;
  readonly loaded: readonly string[];
}

function importOnce(file: string): Import {
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", IMPORT];
  const out = execFileSync(process.execPath, [...args, pathToFileURL(file).href], { encoding: "utf8" });
  return JSON.parse(out) as Import;
}

const kilobytes = (bytes: number): string => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
const sizeOf = (files: readonly string[]): number => files.reduce((sum, file) => sum + statSync(file).size, 0);

/** The bundle and its chunks, which are the uncompressed contents of its zip. */
function filesOf(folder: string, name: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file === `${name}.mjs` || (file.startsWith(`${name}/`) && file.endsWith(".mjs")))
    .map((file) => join(folder, file));
}

const [dist = join(import.meta.dirname, "..", "dist", "functions"), ...others] = process.argv.slice(2);
const folders = [dist, ...others];
const names = readdirSync(dist)
  .filter((file) => file.endsWith(".mjs"))
  .map((file) => file.slice(0, -".mjs".length));

console.log("| function | folder | in the zip, unpacked | loaded by an import | import, median |");
console.log("| --- | --- | --- | --- | --- |");
for (const name of names) {
  const runs = folders.map((): Import[] => []);
  // Alternate, to distribute the machine's other load evenly.
  for (let time = 0; time < TIMES; time += 1)
    for (const [index, folder] of folders.entries()) runs[index]?.push(importOnce(join(folder, `${name}.mjs`)));
  for (const [index, folder] of folders.entries()) {
    const sorted = (runs[index] ?? []).toSorted((a, b) => a.millis - b.millis);
    const { millis, loaded } = sorted[Math.floor(TIMES / 2)] as Import;
    const own = loaded.map((url) => new URL(url).pathname);
    const cells = [kilobytes(sizeOf(filesOf(folder, name))), kilobytes(sizeOf(own)), `${Math.round(millis)} ms`];
    console.log(`| ${[name, folder, ...cells].join(" | ")} |`);
  }
}
