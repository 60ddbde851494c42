/**
 * Runs every check, cheapest first: `npm test [-- jest arguments]`. With arguments only Jest runs.
 * The last line says how many tests passed, failed and were skipped.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const jestArguments = process.argv.slice(2);

function run(title: string, command: string, args: readonly string[]): void {
  console.error(`── ${title}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

if (jestArguments.length === 0) {
  run("format and lint", bin("biome"), ["check", "--error-on-warnings"]);
  run("types", bin("tsc"), ["-p", "."]);
}
run("tests", process.execPath, [
  "--experimental-vm-modules",
  "--disable-warning=ExperimentalWarning",
  join(root, "node_modules", "jest", "bin", "jest.js"),
  ...jestArguments,
]);
