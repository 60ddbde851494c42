import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import type { World } from "../../lab/world.ts";
import { COMMAND, environment, type Run } from "./relight.ts";

const PROCESS = join(import.meta.dirname, "resident-process.js");
const FLAGS = ["--disable-warning=ExperimentalWarning"];

/** What is sent to the process. */
export interface Order {
  readonly command: string;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** What it sends back. */
export interface Done extends Omit<Run, "json"> {
  /** Whether the run left something open, such as a connection, which the end of its process would have closed. */
  readonly isDirty: boolean;
}

const idle: ChildProcess[] = [];
const all = new Set<ChildProcess>();
afterAll(() => {
  for (const child of all) child.kill("SIGKILL");
});

/**
 * Runs the built command in the world's folder, like `relight` of relight.ts, but in a process that has run it before: a
 * tenth of the CPU time. For tests of what the command does with a cluster, not of its process.
 */
export async function relight({ home }: Pick<World, "home">, ...args: string[]): Promise<Run> {
  const child = idle.pop() ?? start();
  const order: Order = { command: COMMAND, cwd: home, args, env: environment() };
  const { isDirty, ...run } = await ask(child, order);
  if (isDirty) child.kill("SIGKILL");
  else idle.push(child);
  const json = args.includes("--json") && run.stdout.trim() !== "" ? JSON.parse(run.stdout) : undefined;
  return { ...run, json };
}

function start(): ChildProcess {
  const child = fork(PROCESS, { execArgv: FLAGS, env: environment(), stdio: ["ignore", "inherit", "inherit", "ipc"] });
  all.add(child);
  child.once("exit", () => all.delete(child));
  return child;
}

/** @throws Error if the command ends its process otherwise than by `process.exit`. */
async function ask(child: ChildProcess, order: Order): Promise<Done> {
  const isOver = new AbortController();
  const { signal } = isOver;
  const crash = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`relight ${order.args.join(" ")} crashed (${code}); see its output`);
  });
  try {
    child.send(order);
    const [done] = await Promise.race([once(child, "message", { signal }), crash]);
    return done as Done;
  } finally {
    crash.catch(() => {});
    isOver.abort();
  }
}
