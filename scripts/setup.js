/**
 * Installs what a task needs and runs it: `node scripts/setup.js quickstart|twin|costs|test|build|… [arguments]`.
 * Plain JavaScript without dependencies, because it runs before there are any, on Node 20.20 or newer.
 * Idempotent: downloads nothing twice.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { npm, workingNode } from "./node.js";

const root = join(import.meta.dirname, "..");
const modules = join(root, "node_modules");
const stamp = join(modules, ".relight-lock-hash");

/** What tests on real servers need: the server versions, and the AWS emulator. */
const LAB = [["lab/server-binaries.ts"], ["lab/moto.ts"]];

const PACKAGE = ["node_modules/osls/bin/serverless.js", "package"];

/** What each task needs besides node_modules and the bundles, and what it then runs. */
const TASKS = {
  build: { needs: [], run: undefined },
  prepack: { needs: [], run: undefined },
  docs: { needs: [], run: ["scripts/docs.ts"] },
  relight: { needs: [], run: ["cli/main.ts"] },
  invoke: { needs: [], run: ["scripts/invoke.ts"] },
  package: { needs: [], run: PACKAGE },
  release: { needs: [], run: ["scripts/release.ts"] },
  quickstart: { needs: [], run: ["lab/quickstart.ts"] },
  check: { needs: [], run: ["scripts/test.ts", "--check"] },
  unit: { needs: [], run: ["scripts/test.ts", "--unit"] },
  test: { needs: LAB, run: ["scripts/test.ts"] },
  integration: { needs: LAB, run: ["scripts/test.ts", "--integration"] },
  mutation: { needs: [], run: ["scripts/mutation.ts"] },
  exhaustive: { needs: LAB, run: ["scripts/test.ts", "--exhaustive"] },
  // These fetch a server version when the first world needs it.
  worlds: { needs: [], run: ["lab/worlds/main.ts"] },
  matrix: { needs: [], run: ["lab/matrix/main.ts"] },
  twin: {
    needs: [["lab/server-binaries.ts", "2.10.27"], ["lab/moto.ts"], PACKAGE],
    run: ["lab/twin/main.ts"],
  },
  // It fetches a server version when a benchmark needs it.
  bench: { needs: [], run: ["lab/bench/main.ts"] },
  costs: {
    needs: [["lab/server-binaries.ts", "2.10.27"], ["lab/moto.ts"], PACKAGE],
    run: ["lab/twin/costs.ts"],
  },
};

const [OLDEST_MAJOR, OLDEST_MINOR] = [20, 20];

function fail(message) {
  console.error(`\n${message}`);
  process.exit(1);
}

/** Runs a script with `node`, which is first on its children's PATH. @returns {Promise<number>} the exit code */
function run(node, args) {
  const path = [dirname(node), join(modules, ".bin"), process.env.PATH].join(delimiter);
  const child = spawn(node, args, { cwd: root, stdio: "inherit", env: { ...process.env, PATH: path } });
  const stop = () => child.kill("SIGTERM");
  process.on("SIGTERM", stop);
  return new Promise((done) => {
    child.once("exit", (code, signal) => {
      process.off("SIGTERM", stop);
      done(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

function installPackages() {
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  console.error("installing packages (npm ci), about half a minute …");
  try {
    npm(["ci", "--ignore-scripts"]);
  } catch ({ message }) {
    fail(`${message}\n\nnpm ci failed. It needs the npm registry, or a mirror of it in your .npmrc.`);
  }
  writeFileSync(stamp, hash);
}

function findNode() {
  try {
    return workingNode((line) => console.error(line));
  } catch ({ message }) {
    return fail(message);
  }
}

const [name, ...args] = process.argv.slice(2);
// The twin writes a relight.yaml of its own.
if (name === "twin" || name === "costs") process.env.RELIGHT_PACKAGE_FOR_TWIN = "1";
const task = TASKS[name];
if (task === undefined) fail(`usage: node scripts/setup.js ${Object.keys(TASKS).join("|")} [arguments]`);
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < OLDEST_MAJOR || (major === OLDEST_MAJOR && minor < OLDEST_MINOR))
  fail(`Node ${process.versions.node} is too old: install Node 20.20 or newer, best 24.`);
// Ctrl-C reaches the task, which cleans up; this process only waits for it.
process.on("SIGINT", () => {});

// npm runs `prepack` during the installation of a package from Git, whose packages it has installed.
if (name !== "prepack") installPackages();
if (!existsSync(process.execPath)) fail("The installation replaced the Node that ran this: run it again.");
const node = findNode();
const needs = args.includes("--help") ? [] : [["scripts/build.ts"], ...task.needs];
for (const need of needs)
  if ((await run(node, need)) !== 0) fail(`\`${need.join(" ")}\` failed; see above what is missing and how to get it.`);
process.exit(task.run === undefined ? 0 : await run(node, [...task.run, ...args]));
