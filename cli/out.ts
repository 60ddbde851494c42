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

/** Prints one JSON document for programs on standard output, on several lines, as fast as it is read. */
export async function printJson(document: unknown): Promise<void> {
  for (const part of jsonParts(document, 2)) await written(process.stdout, printableJson(part));
  process.stdout.write("\n");
}

/** Prints one JSON document of many on standard output, on a line of its own. */
export const printJsonLine = (document: unknown): void =>
  void process.stdout.write(`${printableJson([...jsonParts(document, 0)].join(""))}\n`);

/** Writes, and waits while the reader is slower: what it has not read would be kept in memory. */
async function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (stream.destroyed || stream.write(text)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  // Without a reader nothing more is printed, and `stopWithoutReader` says what happens then.
  const ends = ["drain", "error", "close"] as const;
  for (const end of ends) stream.once(end, resolve);
  await promise;
  for (const end of ends) stream.off(end, resolve);
}

/** A list whose members are made while it is printed, because all of them at once would be kept in memory. */
export class MadeList<T> {
  readonly #items: readonly T[];
  readonly #make: (item: T) => unknown;

  constructor(items: readonly T[], make: (item: T) => unknown) {
    this.#items = items;
    this.#make = make;
  }

  get length(): number {
    return this.#items.length;
  }

  slice(from?: number, to?: number): readonly unknown[] {
    return this.#items.slice(from, to).map(this.#make);
  }
}

/** So many members of a list are written together, because a list of all accounts has megabytes. */
const TOGETHER = 100;

/** The text of a document, in parts; long lists that are members of the document in more than one. */
export function* jsonParts(document: unknown, indent: number): Iterable<string> {
  const isLong = (value: unknown): value is readonly unknown[] | MadeList<unknown> =>
    (Array.isArray(value) || value instanceof MadeList) && value.length > TOGETHER;
  const members = isPlain(document) ? Object.entries(document).filter(([, value]) => value !== undefined) : [];
  if (indent === 0 || !members.some(([, value]) => isLong(value))) {
    const whole = isPlain(document) ? Object.fromEntries(members.map(([key, value]) => [key, made(value)])) : document;
    return yield JSON.stringify(redact(whole), null, indent);
  }
  const margin = " ".repeat(indent);
  for (const [index, [key, value]] of members.entries()) {
    yield index === 0 ? "{" : ",";
    if (!isLong(value)) {
      // Without the braces around the one member.
      yield JSON.stringify(redact({ [key]: made(value) }), null, indent).slice(1, -2);
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

const made = (value: unknown): unknown => (value instanceof MadeList ? value.slice() : value);

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
