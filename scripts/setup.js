/**
 * Sets up what a task needs and runs it: `node scripts/setup.js quickstart|twin|costs|test|build [arguments]`.
 * Plain JavaScript without dependencies, because it runs before there are any, on Node 20.20 or newer.
 * Idempotent: what is there already is not fetched again.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const modules = join(root, "node_modules");
const stamp = join(modules, ".relight-lock-hash");

/** What tests on real servers need: those of the versions they run, and AWS's emulator. */
const LAB = [["lab/server-binaries.ts", "2.9.10", "2.10.27", "2.15.1"], ["lab/moto.ts"]];

/** What each task needs beside node_modules and the bundles, and what it then runs; all with Node 24. */
const TASKS = {
  build: { needs: [], run: undefined },
  quickstart: { needs: [], run: ["lab/quickstart.ts"] },
  check: { needs: [], run: ["scripts/test.ts", "--check"] },
  unit: { needs: [], run: ["scripts/test.ts", "--unit"] },
  test: { needs: LAB, run: ["scripts/test.ts"] },
  integration: { needs: LAB, run: ["scripts/test.ts", "--integration"] },
  exhaustive: { needs: LAB, run: ["scripts/test.ts", "--exhaustive"] },
  twin: {
    needs: [
      ["lab/server-binaries.ts", "2.10.27"],
      ["lab/moto.ts"],
      ["node_modules/osls/bin/serverless.js", "package"],
    ],
    run: ["lab/twin/main.ts"],
  },
  costs: {
    needs: [
      ["lab/server-binaries.ts", "2.10.27"],
      ["lab/moto.ts"],
      ["node_modules/osls/bin/serverless.js", "package"],
    ],
    run: ["lab/twin/costs.ts"],
  },
};

const OLDEST_NODE = [20, 20];
/** What the tools and Relight itself need; older machines get a Node 24 from npm. */
const WORKING_NODE = [22, 12];

function isAtLeast([major, minor]) {
  const [ourMajor, ourMinor] = process.versions.node.split(".").map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

/** Runs a program in the project's root; with `quiet` its output is shown only if it fails. */
function run(command, args, { quiet = false } = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    env: {
      ...process.env,
      PATH: `${join(modules, ".bin")}${process.platform === "win32" ? ";" : ":"}${process.env.PATH}`,
    },
  });
  if (status === 0) return 0;
  if (quiet) process.stderr.write(`${stdout ?? ""}${stderr ?? ""}`);
  if (error) console.error(`${command}: ${error.message}`);
  return status ?? (signal === "SIGINT" ? 130 : 1);
}

function installPackages() {
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  console.error("installing packages (npm ci), about half a minute …");
  const npm = process.env.npm_execpath;
  const [command, ...args] = npm ? [process.execPath, npm] : ["npm"];
  if (run(command, [...args, "ci", "--ignore-scripts"], { quiet: true }) !== 0)
    fail("npm ci failed; its output is above. It needs the npm registry, or a mirror of it in your .npmrc.");
  writeFileSync(stamp, hash);
}

/** This Node if it is new enough, else the one that npm installed. */
function workingNode() {
  if (isAtLeast(WORKING_NODE)) return process.execPath;
  const carried = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (existsSync(carried)) return carried;
  return fail(
    `Node ${process.versions.node} is too old and npm has none for ${process.platform} ${process.arch}: install Node 24.`,
  );
}

const [name, ...args] = process.argv.slice(2);
const task = TASKS[name];
if (task === undefined) fail(`usage: node scripts/setup.js ${Object.keys(TASKS).join("|")} [arguments]`);
if (!isAtLeast(OLDEST_NODE))
  fail(`Node ${process.versions.node} is too old: install Node 20.20 or newer, best 24.`);
// Ctrl-C goes to the task, which cleans up after itself; this process only waits for it.
process.on("SIGINT", () => {});

installPackages();
const node = workingNode();
const needs = args.includes("--help") ? [] : [["scripts/build.ts"], ...task.needs];
for (const need of needs)
  if (run(node, need) !== 0)
    fail(`\`${need.join(" ")}\` failed; see above what is missing and how to get it.`);
process.exit(task.run === undefined ? 0 : run(node, [...task.run, ...args]));
