/**
 * What a terminal obeys or hides instead of showing it: control characters (C0, C1, ESC, line breaks), controls of the
 * writing direction, line and paragraph separators, invisible characters (zero-width, fillers, variation selectors) and
 * halves of surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;
const EACH = new RegExp(UNPRINTABLE, "gu");

/** Whether `text` has only characters that a terminal shows, so not even a line break. */
export const isPrintable = (text: string): boolean => !UNPRINTABLE.test(text);

/** `text` on one line, with each unprintable character as JSON writes it: `\n`, `\u001b`. */
export const printable = (text: string): string => text.replace(EACH, escaped);

/** The text of a JSON document with the same escapes; its meaning and its own line breaks stay. */
export const printableJson = (json: string): string =>
  json.replace(EACH, (char) => (char === "\n" ? char : escaped(char)));

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(char: string): string {
  const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index));
  return SHORT[char] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
