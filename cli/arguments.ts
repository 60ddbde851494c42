import { InvalidArgumentError } from "commander";
import ms from "ms";
import { isPrintable } from "../lib/domain/time/printable.ts";
import { type Millis, millis } from "../lib/domain/time/time.ts";

/** What the values of arguments and options may be. */

/** Words for the journal. @throws InvalidArgumentError if they are empty or have control characters. */
export function readWords(text: string): string {
  if (text.trim() === "" || !isPrintable(text))
    throw new InvalidArgumentError("write words on one line, without control characters");
  return text;
}

/** @throws InvalidArgumentError for what is no length of time. */
export function readTime(text: string): Millis {
  const value = /^\d+(\.\d+)?(s|m|h|d|w|y)$/.test(text) ? ms(text as ms.StringValue) : 0;
  if (value <= 0 || value > ms("100y")) throw new InvalidArgumentError("write a length of time such as 90d");
  return millis(value);
}

export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("it is not a positive whole number");
  return count;
}
