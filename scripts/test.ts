/**
 * Runs every check, cheapest first: `npm test [-- jest arguments]`. With arguments only Jest runs. `npm run check` skips
 * everything that starts a server, `npm run unit` and `npm run integration` run one half of the tests each, and `npm run
 * test:exhaustive` runs the second half in full.
 * The last line says how many tests passed, failed and were skipped.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reapServers } from "../lab/nats-server.ts";

/** The results of one file's tests, written by test/support/tally.js. */
interface Tally {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** If more files than this fail, a busy machine is not the cause. */
const SECOND_LOOKS = 2;

interface Part {
  readonly jest: readonly string[];
  /** Whether to check format, lint and types first. */
  readonly lints: boolean;
  /** Whether to run each test in full (test/support/exhaustive.ts). */
  readonly isExhaustive?: boolean;
}

const PARTS: Readonly<Record<string, Part>> = {
  "--check": { jest: ["--selectProjects", "unit"], lints: true },
  "--unit": { jest: ["--selectProjects", "unit"], lints: false },
  "--integration": { jest: ["--selectProjects", "servers"], lints: false },
  "--exhaustive": { jest: ["--selectProjects", "servers"], lints: false, isExhaustive: true },
};

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const [first, ...others] = process.argv.slice(2);
const part = PARTS[first ?? ""];
const jestArguments = part === undefined ? process.argv.slice(2) : [...others, ...part.jest];

function spawn(title: string, command: string, args: readonly string[]): { status: number | null } {
  console.error(`── ${title}`);
  return spawnSync(command, args, { cwd: root, stdio: "inherit" });
}

function run(title: string, command: string, args: readonly string[]): void {
  const { status } = spawn(title, command, args);
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs Jest. Undefined if it crashed, so the failures are unknown. */
async function jest(title: string, args: readonly string[]): Promise<readonly Tally[] | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "relight-test-"));
  const tally = join(folder, "tally.json");
  process.env["RELIGHT_TALLY"] = tally;
  const { status } = spawn(title, process.execPath, [
    "--experimental-vm-modules",
    "--disable-warning=ExperimentalWarning",
    join(root, "node_modules", "jest", "bin", "jest.js"),
    ...args,
  ]);
  // A worker that Jest killed could not stop its servers.
  const reaped = await reapServers();
  if (reaped > 0) console.error(`stopped ${reaped} servers that a killed test worker left running`);
  const tallies = existsSync(tally) ? (JSON.parse(readFileSync(tally, "utf8")) as Tally[]) : undefined;
  rmSync(folder, { recursive: true, force: true });
  // If Jest fails although no test did, report that too.
  const isExplained = status === 0 || (tallies ?? []).some(({ failed }) => failed > 0);
  return isExplained ? tallies : undefined;
}

const failedOf = (tallies: readonly Tally[]): readonly string[] =>
  tallies.filter(({ failed }) => failed > 0).map(({ file }) => file);

/**
 * Runs a few failed files again, alone, and names those that pass only then. They need a fix too, but a single failure
 * with real servers on a busy machine does not make the whole run fail (docs/decisions/0018-report-retried-tests.md).
 */
async function secondLook(first: readonly Tally[]): Promise<readonly Tally[]> {
  const suspects = failedOf(first);
  if (suspects.length === 0 || suspects.length > SECOND_LOOKS) return first;
  const second = await jest("failed files again, alone", ["--runInBand", "--runTestsByPath", ...suspects]);
  if (second === undefined) return first;
  const failedAgain = failedOf(second);
  for (const file of suspects.filter((suspect) => !failedAgain.includes(suspect)))
    console.error(`UNRELIABLE, needs a fix: ${file} failed, and passed alone; see its first failure above`);
  return [...first.filter(({ file }) => !suspects.includes(file)), ...second];
}

// The tests start the command and the functions a thousand times; Node then need not compile them each time.
process.env["NODE_COMPILE_CACHE"] ??= join(root, ".cache", "compiled");
if (part?.isExhaustive === true) process.env["RELIGHT_EXHAUSTIVE"] = "1";
if (part?.lints ?? jestArguments.length === 0) {
  run("format and lint", bin("biome"), ["check", "--error-on-warnings"]);
  run("types", bin("tsc"), ["-p", "."]);
}
const begun = await jest("tests", jestArguments);
const tallies = begun !== undefined && jestArguments.length === 0 ? await secondLook(begun) : begun;
const sum = (count: "passed" | "failed" | "skipped"): number =>
  (tallies ?? []).reduce((total, tally) => total + tally[count], 0);
const failed = tallies === undefined || tallies.length === 0 ? 1 : sum("failed");
console.log(`${sum("passed")} passed, ${failed} failed, ${sum("skipped")} skipped`);
process.exit(failed === 0 ? 0 : 1);
