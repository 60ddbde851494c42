import { printableJson } from "../lib/domain/time/printable.ts";
import { redact } from "../lib/log.ts";
import { terminalLine } from "./colors.ts";
import { wrapped } from "./wrap.ts";

/**
 * The only way out of the command: what it prints has no secrets, and nothing in it that a terminal obeys. A line break
 * within a line is part of somebody's name, and is shown as `\n`.
 */

/** Prints lines for people on standard output, which belongs to the result. */
export const printLines = (lines: readonly string[]): void => void process.stdout.write(joined(lines, process.stdout));

/** Prints lines for people on standard error: progress, questions, errors. */
export const printAside = (lines: readonly string[]): void => void process.stderr.write(joined(lines, process.stderr));

/** Prints rows for a shell on standard output, with a tab between the cells. */
export const printRows = (rows: readonly (readonly string[])[]): void =>
  void process.stdout.write(rows.map((cells) => `${cells.map(terminalLine).join("\t")}\n`).join(""));

/** Prints one JSON document for programs on standard output, by default on several lines. */
export function printJson(document: unknown, indent = 2): void {
  process.stdout.write(`${printableJson(JSON.stringify(redact(document), null, indent))}\n`);
}

/** A terminal narrower than this is not asked to wrap; columns. */
const NARROWEST = 20;

/** At a terminal long lines are wrapped between words; what a program reads keeps its lines. */
function joined(lines: readonly string[], { isTTY, columns = 0 }: NodeJS.WriteStream): string {
  const fits = isTTY && columns >= NARROWEST ? lines.flatMap((line) => wrapped(line, columns)) : lines;
  return fits.map((line) => `${terminalLine(line)}\n`).join("");
}

/** Nobody reads any more, as after `| head`: this stops like Ctrl-C, and prints no more. */
export function stopWithoutReader(streams: readonly NodeJS.WriteStream[], exit: () => void): void {
  let isGone = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    if (isGone) return;
    isGone = true;
    if (!process.emit("SIGTERM")) exit();
  };
  for (const stream of streams) stream.on("error", onError);
}
