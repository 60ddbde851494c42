import { createLog, levelNamed } from "../lib/log.ts";
import type { Log } from "../lib/ports/log.ts";
import type { GlobalOptions } from "./session.ts";

/**
 * The log of a command that runs until it is stopped. A supervisor keeps its lines, so they tell of each job; a person at
 * a terminal reads the notes instead, and sees warnings only.
 */
export function serviceLog(
  { verbose }: Pick<GlobalOptions, "verbose">,
  isTerminal: boolean = process.stderr.isTTY === true,
): Log {
  const level = levelNamed(process.env["RELIGHT_LOG_LEVEL"], isTerminal ? "warn" : "info");
  return createLog({ level: verbose ? "info" : level });
}
