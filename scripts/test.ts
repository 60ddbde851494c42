/**
 * Runs every check, cheapest first: `npm test [-- jest arguments]`. With arguments only Jest runs.
 * The last line says how many tests passed, failed and were skipped.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reapServers } from "../lab/nats-server.ts";

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const jestArguments = process.argv.slice(2);

function spawn(title: string, command: string, args: readonly string[]): { status: number | null } {
  console.error(`── ${title}`);
  return spawnSync(command, args, { cwd: root, stdio: "inherit" });
}

function run(title: string, command: string, args: readonly string[]): void {
  const { status } = spawn(title, command, args);
  if (status !== 0) process.exit(status ?? 1);
}

if (jestArguments.length === 0) {
  run("format and lint", bin("biome"), ["check", "--error-on-warnings"]);
  run("types", bin("tsc"), ["-p", "."]);
}
const folder = mkdtempSync(join(tmpdir(), "relight-test-"));
const closingLine = join(folder, "closing-line");
process.env["RELIGHT_CLOSING_LINE"] = closingLine;
const { status } = spawn("tests", process.execPath, [
  "--experimental-vm-modules",
  "--disable-warning=ExperimentalWarning",
  join(root, "node_modules", "jest", "bin", "jest.js"),
  ...jestArguments,
]);
// A worker that Jest had to kill could not stop its servers.
const reaped = await reapServers();
if (reaped > 0) console.error(`stopped ${reaped} servers that a killed test worker left running`);
// Jest that crashed left no line, and that is a failure.
console.log(existsSync(closingLine) ? readFileSync(closingLine, "utf8") : "0 passed, 1 failed, 0 skipped");
rmSync(folder, { recursive: true, force: true });
process.exit(status ?? 1);
