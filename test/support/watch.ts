import { once } from "node:events";
import { createInterface } from "node:readline";
import { waitFor } from "../../lab/wait.ts";
import type { World } from "../../lab/world.ts";
import { startRelight } from "./relight.ts";

/** One line of `relight watch --json`. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into any note
export type Note = Record<string, any>;

export interface Watch extends AsyncDisposable {
  readonly notes: readonly Note[];
  readonly stderr: () => string;
  /** Sends a signal without waiting. */
  signal(signal: NodeJS.Signals): void;
  /** The exit code, once it has ended. */
  readonly exit: Promise<number | null>;
  /** The first matching note, awaited with a timeout. */
  until(what: string, fits: (note: Note) => unknown, timeout?: number): Promise<Note>;
  /** Ctrl-C. Returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the built `relight watch --json` in the world's folder and waits for the note of its first sweep. */
export async function startWatch(world: World, ...args: string[]): Promise<Watch> {
  const watch = spawnWatch(world, ...args);
  try {
    await watch.until("the first sweep", ({ what }) => what === "sweep");
    return watch;
  } catch (error) {
    await watch[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same without waiting for anything. */
export const spawnWatch = (world: World, ...args: string[]): Watch => spawnNotes(world, "watch", ...args);

/** Any command that writes one JSON document per line until it is stopped. */
export function spawnNotes(world: Pick<World, "home">, ...args: string[]): Watch {
  const child = startRelight(world, "--json", ...args);
  const notes: Note[] = [];
  let stderr = "";
  createInterface({ input: child.stdout }).on("line", (line) => notes.push(JSON.parse(line)));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const exit = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  const stop = async (signal: NodeJS.Signals = "SIGINT"): Promise<number | null> => {
    child.kill(signal);
    return await exit;
  };
  return {
    signal: (signal) => void child.kill(signal),
    notes,
    stderr: () => stderr,
    stop,
    exit,
    until: (what, fits, timeout = 60_000) => {
      const find = (): Note | undefined => notes.find((note) => Boolean(fits(note)));
      return waitFor(what, find, { timeout }).catch((error: Error) => {
        throw new Error(`${error.message}; told: ${JSON.stringify(notes)}\n${stderr}`);
      });
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) await stop("SIGKILL");
    },
  };
}
