#!/usr/bin/env node
/**
 * Starts the bundled command with a Node.js that can run it. Relight needs Node 22.12 or newer; on an older
 * one it uses the Node 24 that npm installed beside it, so that `npx relight` works on either.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const command = join(root, "dist", "cli", "relight.js");
const UNKNOWN = 3;

function fail(message) {
  console.error(`relight: ${message}`);
  process.exit(UNKNOWN);
}

if (!existsSync(command)) fail("it is not built yet; run `npm run build` first");

const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 22 || (major === 22 && minor >= 12)) {
  await import(command);
} else {
  const carried = join(root, "node_modules", ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (!existsSync(carried))
    fail(`Node ${process.versions.node} is too old; install Node 24, or run \`npm install\` here to get one`);
  // The child handles Ctrl-C itself (it finishes the step under way); this process only waits for it.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  const { status, signal } = spawnSync(carried, [command, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(status ?? (signal ? UNKNOWN : 0));
}
