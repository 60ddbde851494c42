import { randomBytes } from "node:crypto";
import pc from "picocolors";
import { printable } from "../lib/domain/time/printable.ts";
import { redactText } from "../lib/domain/time/redact.ts";

/**
 * Stands before a color until the text is printed. Random, so that no name from outside can contain it, and none can
 * color or move anything.
 */
const MARK = `\u0002${randomBytes(8).toString("hex")}:`;

export type Paint = (text: string) => string;
const style = (open: number, close: number): Paint =>
  pc.isColorSupported ? (text) => `${MARK}${open}m${text}${MARK}${close}m` : (text) => text;

/** Colors for people. Only {@link terminalLine} makes escape sequences of them. */
export const colors = {
  bold: style(1, 22),
  dim: style(2, 22),
  red: style(31, 39),
  green: style(32, 39),
  yellow: style(33, 39),
  magenta: style(35, 39),
  cyan: style(36, 39),
} as const;

/** A line for a terminal: without secrets, and with nothing in it that a terminal obeys or hides, except our colors. */
export function terminalLine(line: string): string {
  const [first = "", ...painted] = redactText(line).split(MARK);
  const rest = painted.map((part) => {
    const [, code = "", text = ""] = /^(\d+m)([\s\S]*)$/.exec(part) ?? [];
    return `\u001b[${code}${printable(text)}`;
  });
  return printable(first) + rest.join("");
}

/** What people see of a line, without its colors. */
export function visible(line: string): string {
  const [first = "", ...painted] = line.split(MARK);
  return printable(first + painted.map((part) => part.replace(/^\d+m/, "")).join(""));
}

/** A line's texts, each with the mark of the color that begins before it. */
export function paintedParts(line: string): readonly { readonly mark: string; readonly text: string }[] {
  const [first = "", ...painted] = line.split(MARK);
  const rest = painted.map((part) => {
    const [, code = "", text = ""] = /^(\d+m)([\s\S]*)$/.exec(part) ?? [];
    return { mark: `${MARK}${code}`, text };
  });
  return [{ mark: "", text: first }, ...rest];
}
