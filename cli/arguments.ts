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

export const listOf = (text: string): readonly string[] =>
  text.split(",").flatMap((one) => (one.trim() === "" ? [] : [one.trim()]));

/** A length of time, or never. Not undefined, which Commander takes for an option without a value. */
export type Interval = Millis | "off";

/** What setTimeout can wait at most; milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** `5m`, `90s`, `1h`, `off`. @throws InvalidArgumentError for anything else. */
export function readInterval(text: string): Interval {
  if (text === "off" || text === "0") return "off";
  const value = /^\d+(\.\d+)?(s|m|h|d)$/.test(text) ? ms(text as ms.StringValue) : 0;
  if (value < 1_000 || value > LONGEST)
    throw new InvalidArgumentError("write a length of time from 1s to 24d, such as 5m, or off");
  return millis(value);
}
