import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import type { World } from "../../lab/world.ts";

export const COMMAND = join(import.meta.dirname, "..", "..", "bin", "relight.js");

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
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd: home, env: environment(), stdio: "pipe" });
  child.stdin.end();
  return child;
}

/** Runs the built command with `input` on its standard input. */
export function relightReads(input: string, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: environment(), stdio: "pipe" });
  child.stdin.end(input);
  return endOf(child, args);
}

/**
 * Jest gives each test file its own environment, which a child does not inherit; and if it prints colors, as under CI,
 * it asks its children for colors too.
 */
export function environment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, ...env } = process.env;
  return { ...env, NO_COLOR: "1" };
}

/** Runs the built command in the world's folder, as its user would. */
export function relight(world: Pick<World, "home">, ...args: string[]): Promise<Run> {
  return endOf(startRelight(world, ...args), args);
}

function endOf(child: ChildProcessWithoutNullStreams, args: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
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
