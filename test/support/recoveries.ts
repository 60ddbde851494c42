import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RungReport } from "../../lib/domain/ladder/rung.ts";
import { LADDER } from "../../lib/domain/ladder/rungs.ts";
import type { Run } from "./relight.ts";

/** A row of the table in docs/recoveries.md: the damage, where it happened, and what fixed it. */
export interface Recovery {
  readonly damage: string;
  readonly topology: string;
  readonly version: string;
  readonly rungs: readonly string[];
  readonly result: string;
}

const PAGE = join(import.meta.dirname, "..", "..", "docs", "recoveries.md");

const NONE = "none";
const ORDER: readonly string[] = [NONE, ...LADDER.map(({ id }) => id)];

/** Marks a rung that only some runs need, depending on elections. */
const SOMETIMES = "sometimes ";

/**
 * The table's row for this damage, topology and version, or undefined if it has none. If only optional rungs differ, the
 * row has the rungs of `seen`. With `RELIGHT_WRITE_RECOVERIES` set, the table is updated from `seen` first.
 */
export async function recorded(seen: Recovery): Promise<Recovery | undefined> {
  const { damage, topology, version, rungs, result } = seen;
  const key = `| ${damage} | ${topology} | ${version} |`;
  const found = await rowOf(key);
  if (process.env["RELIGHT_WRITE_RECOVERIES"] !== undefined)
    await write(key, `${key} ${merged(rungs, found?.rungs).join(", ")} | ${result} |`);
  const row = await rowOf(key);
  if (row === undefined) return undefined;
  const agrees = ORDER.every(
    (rung) => row.rungs.includes(`${SOMETIMES}${rung}`) || row.rungs.includes(rung) === rungs.includes(rung),
  );
  return { ...seen, result: row.result, rungs: agrees ? rungs : row.rungs };
}

async function rowOf(key: string): Promise<Pick<Recovery, "rungs" | "result"> | undefined> {
  const line = (await readFile(PAGE, "utf8")).split("\n").find((one) => one.startsWith(key));
  if (line === undefined) return undefined;
  const [rungs = "", result = ""] = line.slice(key.length, -1).split("|");
  return { rungs: rungs.trim().split(", "), result: result.trim() };
}

/** The rungs of both; those that only one of them has are marked as optional. */
function merged(seen: readonly string[], before = seen): readonly string[] {
  return ORDER.flatMap((rung) => {
    if (seen.includes(rung) && before.includes(rung)) return [rung];
    const isKnown = [rung, `${SOMETIMES}${rung}`].some((one) => before.includes(one));
    return isKnown || seen.includes(rung) ? [`${SOMETIMES}${rung}`] : [];
  });
}

async function write(key: string, line: string): Promise<void> {
  const lines = (await readFile(PAGE, "utf8")).split("\n").filter((one) => !one.startsWith(key));
  const start = lines.findIndex((one) => one.startsWith("|---")) + 1;
  const end = lines.findIndex((one, index) => index >= start && !one.startsWith("|"));
  const rows = [...lines.slice(start, end), line].sort();
  await writeFile(PAGE, [...lines.slice(0, start), ...rows, ...lines.slice(end)].join("\n"));
}

/**
 * The rungs used in one or more runs, each once, in the ladder's order. How often a rung ran, and which of two helped,
 * depends on how fast a busy cluster elects its leaders.
 */
export function rungsUsed(...runs: readonly Run[]): readonly string[] {
  const reports: readonly RungReport[] = runs.flatMap(({ json }) => json.rungs);
  const taken = reports.filter(({ result }) => result !== "refused").map(({ rung }) => rung);
  const rungs = ORDER.filter((id) => (taken as readonly string[]).includes(id));
  return rungs.length > 0 ? rungs : [NONE];
}
