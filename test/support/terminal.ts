import { spawn, spawnSync } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { describe } from "@jest/globals";

/** A real terminal, from util-linux' `script`; 80 columns wide. */

const hasScript = spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") === true;

/** `describe` for tests that need a terminal; elsewhere they are skipped, and the name says why. */
export function describeWithTerminal(name: string, suite: () => void): void {
  if (hasScript) describe(name, suite);
  else describe.skip(`${name} (skipped: it needs the program script of util-linux)`, suite);
}

export interface Session {
  readonly exit: number | null;
  /** Everything that was shown, without control sequences. */
  readonly shown: string;
}

/** A line to type once `after` is shown; `\u0003` is Ctrl-C. */
export interface Typed {
  readonly after: string | RegExp;
  readonly keys: string;
}

/** Milliseconds; a bound for a busy machine. */
const ENDS_WITHIN = 120_000;

/** Runs a shell command at a terminal, and types. */
export function atTerminal(
  command: string,
  {
    typed = [],
    cwd,
    env,
  }: { readonly typed?: readonly Typed[]; readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
): Promise<Session> {
  const child = spawn("script", ["-qec", `stty cols 80 rows 50; ${command}`, "/dev/null"], { cwd, env });
  // What waits for a text that is never shown would wait forever.
  const bound = setTimeout(() => child.kill("SIGKILL"), ENDS_WITHIN);
  let raw = "";
  let shown = "";
  let from = 0;
  const left = [...typed];
  child.stdout.on("data", (chunk: Buffer) => {
    raw += chunk.toString("utf8");
    shown = textOf(raw);
    for (;;) {
      const [next] = left;
      if (next === undefined) return;
      const rest = shown.slice(from);
      const at = typeof next.after === "string" ? rest.indexOf(next.after) : rest.search(next.after);
      if (at < 0) return;
      from = shown.length;
      left.shift();
      child.stdin.write(next.keys);
    }
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit) => {
      clearTimeout(bound);
      resolve({ exit, shown: afterBackspaces(shown) });
    });
  });
}

/** A spinner goes back to the first column to write over its line. */
const textOf = (raw: string): string =>
  stripVTControlCharacters(raw.replaceAll("\u001b[1G", "\n")).replaceAll("\r", "");

const afterBackspaces = (text: string): string => text.split("\b").reduce((before, next) => before.slice(0, -1) + next);
