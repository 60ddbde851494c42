#!/usr/bin/env node
/** Starts the bundled command; in a fresh checkout builds it first. Runs on any Node.js, so that an old one gets a message. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, "dist", "cli", "relight.js");
const UNKNOWN = 3;
/** How long a build takes to replace `dist`, at most; milliseconds. */
const SWAP = 5_000;

function fail(message) {
  if (process.argv.includes("--json"))
    console.log(
      JSON.stringify({ error: { code: "usage", message, mend: "See the message.", retryable: false } }, null, 2),
    );
  else console.error(`relight: ${message}`);
  process.exit(UNKNOWN);
}

/** Builds in a checkout whose packages are installed. Its output goes to standard error, because that is not the result. */
function build() {
  const script = join(root, "scripts", "build.ts");
  if (!existsSync(script)) fail("the package is incomplete: dist/ is missing; install it again");
  const advice = `run \`npm run build\` in ${root}`;
  // Node runs TypeScript from 22.18 on.
  const canBuild = major > 22 || (major === 22 && minor >= 18);
  if (!canBuild || !existsSync(join(root, "node_modules", "esbuild"))) fail(`it is not built yet; ${advice} first`);
  console.error("relight: not built yet; building …");
  const { status } = spawnSync(process.execPath, [script], { stdio: ["ignore", 2, 2] });
  if (status !== 0) fail(`the build failed; ${advice}`);
}

const isSwapping = () => readdirSync(root).some((name) => /^dist-(new|old)-\d+$/.test(name));

const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const needed = engines.node.replace(">=", "");
const [neededMajor, neededMinor] = needed.split(".").map(Number);
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < neededMajor || (major === neededMajor && minor < neededMinor))
  fail(
    `Node ${process.versions.node} is too old; install Node ${needed} or newer${
      existsSync(join(root, "scripts", "setup.js")) ? ", or use `npm run relight -- COMMAND` in the checkout" : ""
    }`,
  );
// Node 22 calls SQLite experimental. What the journal uses of it is the same in Node 24, where it no longer is.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) =>
  String(warning).startsWith("SQLite is an experimental feature") || emitWarning.call(process, warning, ...rest);
for (let waited = 0; waited < SWAP && !existsSync(command) && isSwapping(); waited += 20)
  await new Promise((done) => setTimeout(done, 20));
if (!existsSync(command)) build();
await import(pathToFileURL(command).href);
