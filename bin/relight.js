#!/usr/bin/env node
/** Starts the bundled command, or says what it needs. Runs on any Node.js, so that an old one gets a message. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, "dist", "cli", "relight.js");
const UNKNOWN = 3;

function fail(message) {
  console.error(`relight: ${message}`);
  process.exit(UNKNOWN);
}

const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const needed = engines.node.replace(">=", "");
const [neededMajor, neededMinor] = needed.split(".").map(Number);
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < neededMajor || (major === neededMajor && minor < neededMinor))
  fail(`Node ${process.versions.node} is too old; install Node ${needed} or newer`);
if (!existsSync(command)) fail("it is not built yet; run `npm run build` first");
await import(pathToFileURL(command).href);
