import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Sample } from "./frame.ts";

/** Programs that are measured from outside, from their start to their end. */

const COMMAND = join(import.meta.dirname, "..", "..", "bin", "relight.js");
/** How often to read a process's largest memory and its CPU time, which only grow; milliseconds. */
const SAMPLED_EVERY = 20;

const children = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

export interface Ran extends Sample {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Where {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end; a Ctrl-C ends it. */
export async function timed(
  { signal }: Pick<Bench, "signal">,
  program: string,
  args: readonly string[],
  { cwd, env = process.env }: Where,
): Promise<Ran> {
  const began = performance.now();
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  let largest: number | undefined;
  let cpu: number | undefined;
  const sampling = setInterval(() => {
    largest = peakMemory(child.pid) ?? largest;
    cpu = cpuSeconds([child.pid]) ?? cpu;
  }, SAMPLED_EVERY);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    let seconds = 0;
    child.once("error", reject);
    child.once("exit", () => {
      seconds = (performance.now() - began) / 1000;
    });
    child.once("close", resolve);
    const exit = await promise;
    signal.throwIfAborted();
    const texts = { stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(errors).toString() };
    const seen = { ...(largest === undefined ? {} : { megabytes: largest }), ...(cpu === undefined ? {} : { cpu }) };
    return { exit, seconds, ...texts, ...seen };
  } finally {
    clearInterval(sampling);
    children.delete(child);
    signal.removeEventListener("abort", stop);
  }
}

/** Runs the built command as a user does, in a folder with relight.yaml. */
export function relight(bench: Pick<Bench, "signal" | "profiles">, home: string, ...args: string[]): Promise<Ran> {
  const { FORCE_COLOR: _, ...environment } = process.env;
  const profile = bench.profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${bench.profiles}`];
  const env = { ...environment, NO_COLOR: "1" };
  return timed(bench, process.execPath, [...profile, COMMAND, ...args], { cwd: home, env });
}

/** The largest resident memory so far, in MB; undefined where the system does not tell, or after its end. */
function peakMemory(pid: number | undefined): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}

/** Clock ticks per second in /proc; the same on every Linux that Node supports. */
const TICKS = 100;

/** The CPU time of processes so far, in seconds; undefined where the system does not tell. */
export function cpuSeconds(pids: readonly (number | undefined)[]): number | undefined {
  const times = pids.map((pid) => {
    // The name, in parentheses, may have spaces.
    const fields = read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  });
  return times.some(Number.isNaN) ? undefined : times.reduce((sum, time) => sum + time, 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** The CPU time of the servers during the work. */
export async function withServerCpu(
  servers: readonly { pid(): number | undefined }[],
  work: () => Promise<Sample>,
): Promise<Sample> {
  const pids = servers.map((server) => server.pid());
  const before = cpuSeconds(pids);
  const sample = await work();
  const after = cpuSeconds(pids);
  return before === undefined || after === undefined ? sample : { ...sample, serverCpu: after - before };
}
