import { spawn } from "node:child_process";
import { join } from "node:path";
import type { World } from "../../lab/world.ts";

const COMMAND = join(import.meta.dirname, "..", "..", "bin", "relight.js");

export interface Run {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What `--json` printed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into any command's result
  readonly json: any;
}

/** Starts the built command in the world's folder, for tests that interfere with it. */
export function startRelight({ home }: Pick<World, "home">, ...args: string[]) {
  // Jest gives each test file an environment of its own, which a child does not inherit by itself.
  const options = { cwd: home, env: { ...process.env } };
  return spawn(process.execPath, [COMMAND, ...args], { ...options, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs the built command in the world's folder, as its user would. */
export function relight(world: Pick<World, "home">, ...args: string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = startRelight(world, ...args);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (exit) => {
      const json = args.includes("--json") && stdout.trim() !== "" ? JSON.parse(stdout) : undefined;
      resolve({ exit, stdout, stderr, json });
    });
  });
}
