import { printableJson } from "../lib/domain/time/printable.ts";
import { redact } from "../lib/domain/time/redact.ts";
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
  for (const part of jsonParts(document, indent)) process.stdout.write(printableJson(part));
  process.stdout.write("\n");
}

/** So many members of a list are written together, because a list of all accounts has megabytes. */
const TOGETHER = 500;

/** The text of a document, in parts; long lists that are members of the document in more than one. */
export function* jsonParts(document: unknown, indent: number): Iterable<string> {
  const isLong = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length > TOGETHER;
  const members = isPlain(document) ? Object.entries(document).filter(([, value]) => value !== undefined) : [];
  if (indent === 0 || !members.some(([, value]) => isLong(value)))
    return yield JSON.stringify(redact(document), null, indent);
  const margin = " ".repeat(indent);
  for (const [index, [key, value]] of members.entries()) {
    yield index === 0 ? "{" : ",";
    if (!isLong(value)) {
      // Without the braces around the one member.
      yield JSON.stringify(redact({ [key]: value }), null, indent).slice(1, -2);
      continue;
    }
    yield `\n${margin}${JSON.stringify(redact(key))}: [`;
    for (let from = 0; from < value.length; from += TOGETHER) {
      if (from > 0) yield ",";
      // Without the brackets around these members.
      const text = JSON.stringify(redact(value.slice(from, from + TOGETHER)), null, indent).slice(1, -2);
      yield text.replaceAll("\n", `\n${margin}`);
    }
    yield `\n${margin}]`;
  }
  yield "\n}";
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  Object.getPrototypeOf(value) === Object.prototype &&
  !("toJSON" in value);

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
