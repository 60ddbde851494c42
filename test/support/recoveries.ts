import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LADDER } from "../../lib/domain/ladder/rungs.ts";
import type { RungReport } from "../../lib/usecases/remediate/heal.ts";
import type { Run } from "./relight.ts";

/** One line of the table in docs/recoveries.md: what was broken where, and what brought it back. */
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

/** Before a rung that the damage needs in some runs only: elections fall as they fall. */
const SOMETIMES = "sometimes ";

/**
 * What the table says of this damage, there and on that version, as far as what was seen agrees with it; undefined:
 * nothing. With `RELIGHT_WRITE_RECOVERIES` set, what was seen is taken in first: so the table is made by the tests, and
 * no run leaves a stale one unnoticed.
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

/** What was seen always stays, what was seen in some runs only is marked. */
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
 * The rungs that were climbed in one run or several, each once, in the ladder's order. How often one was, and whether
 * it was the one that helped or the one after it, hangs on how fast a busy cluster elects its leaders.
 */
export function climbed(...runs: readonly Run[]): readonly string[] {
  const reports: readonly RungReport[] = runs.flatMap(({ json }) => json.rungs);
  const taken = reports.filter(({ result }) => result !== "refused").map(({ rung }) => rung);
  const rungs = ORDER.filter((id) => (taken as readonly string[]).includes(id));
  return rungs.length > 0 ? rungs : [NONE];
}
