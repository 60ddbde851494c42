import { spawn } from "node:child_process";
import { join } from "node:path";

/** The built command, as a user runs it: a process of its own, of which only the output and the exit code are known. */

const COMMAND = join(import.meta.dirname, "..", "..", "bin", "relight.js");
/** Milliseconds: what takes longer is stuck. */
const ENDS_WITHIN = 300_000;

export interface Finding {
  readonly code: string;
  readonly health: Health;
  readonly subject: { readonly stream?: string; readonly consumer?: string; readonly server?: string };
  readonly message: string;
}

export type Health = "healthy" | "degraded" | "dead" | "unknown";

/** What `verify --json` and `heal --json` print, as far as it is compared. */
export interface Answer {
  readonly verdict?: Health;
  readonly findings?: readonly Finding[];
  readonly outcome?: string;
  readonly why?: string;
  readonly rungs?: readonly {
    readonly rung: string;
    readonly target?: string;
    readonly result: string;
    readonly why?: string;
  }[];
  readonly losses?: readonly unknown[];
  readonly error?: { readonly code: string; readonly message: string };
}

export interface Said {
  readonly args: readonly string[];
  readonly exit: number | null;
  readonly answer: Answer;
  /** What it printed if that is not one JSON document; or its standard error. */
  readonly noise?: string;
  readonly seconds: number;
}

export function relight(home: string, ...args: string[]): Promise<Said> {
  const { FORCE_COLOR: _, ...environment } = process.env;
  const begun = performance.now();
  const child = spawn(process.execPath, [COMMAND, ...args, "--json"], {
    cwd: home,
    env: { ...environment, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), ENDS_WITHIN);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit) => {
      clearTimeout(timer);
      const answer = parsed(stdout);
      const noise = answer === undefined ? `${stdout}${stderr}`.slice(0, 2_000) : stderr.slice(0, 2_000);
      resolve({
        args,
        exit,
        answer: answer ?? {},
        ...(noise === "" ? {} : { noise }),
        seconds: Math.round((performance.now() - begun) / 100) / 10,
      });
    });
  });
}

function parsed(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer;
  } catch {
    return undefined;
  }
}
