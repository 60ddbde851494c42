import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** One line of the table in docs/recoveries.md: what was broken where, and what brought it back. */
export interface Recovery {
  readonly damage: string;
  readonly topology: string;
  readonly version: string;
  readonly rungs: string;
  readonly result: string;
}

const PAGE = join(import.meta.dirname, "..", "..", "docs", "recoveries.md");

/**
 * Whether the table says what a test just saw. With `RELIGHT_WRITE_RECOVERIES` set the line is written
 * instead: so the table is made by the tests, and no run leaves a stale one unnoticed.
 */
export async function isRecorded(recovery: Recovery): Promise<boolean> {
  const { damage, topology, version, rungs, result } = recovery;
  const key = `| ${damage} | ${topology} | ${version} |`;
  const line = `${key} ${rungs} | ${result} |`;
  const page = await readFile(PAGE, "utf8");
  if (page.includes(line)) return true;
  if (process.env["RELIGHT_WRITE_RECOVERIES"] === undefined) return false;
  const lines = page.split("\n").filter((one) => !one.startsWith(key));
  const start = lines.findIndex((one) => one.startsWith("|---")) + 1;
  const end = lines.findIndex((one, index) => index >= start && !one.startsWith("|"));
  const rows = [...lines.slice(start, end), line].sort();
  await writeFile(PAGE, [...lines.slice(0, start), ...rows, ...lines.slice(end)].join("\n"));
  return true;
}
