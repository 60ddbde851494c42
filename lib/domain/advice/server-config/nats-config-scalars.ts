import type { ConfigValue, Position } from "./nats-config.ts";
import { isNewline, type Scanner } from "./nats-config-scanner.ts";

/** Numbers, dates and strings as nats-server reads them (conf/lex.go, 2.10.27 and 2.15.1), including its quirks. */

/** An unquoted word; `plain` if nothing in it was escaped or quoted, in which case it may be a boolean or a variable. */
export interface Word {
  readonly text: string;
  readonly plain: boolean;
}

/** Text between `'` and `'`, without escapes. */
export function readSingleQuoted(scan: Scanner): string {
  const begin = scan.position;
  scan.next();
  const text = scan.takeWhile((char) => char !== "'");
  if (scan.isAtEnd()) scan.fail("a string that starts with ' has no end", begin);
  scan.next();
  return text;
}

/** Text between `"` and `"`, with escapes. */
export function readDoubleQuoted(scan: Scanner): string {
  const begin = scan.position;
  scan.next();
  let text = "";
  while (scan.peek() !== '"') {
    if (scan.isAtEnd()) scan.fail('a string that starts with " has no end', begin);
    text += scan.peek() === "\\" ? readEscape(scan) : scan.next();
  }
  scan.next();
  return text;
}

/** Text between `(` and a `)` on its own line, including line ends. */
export function readBlock(scan: Scanner): string {
  const begin = scan.position;
  scan.next();
  let text = "";
  while (!scan.isAtEnd()) {
    const char = scan.next();
    const closes = char === ")" && text.endsWith("\n") && (scan.isAtEnd() || scan.peek() === "\n");
    // If the file ends with the bracket, the server keeps it in the text.
    if (closes) return scan.isAtEnd() ? `${text})` : text;
    text += char;
  }
  return scan.fail("a block that starts with ( has no ) on its own line", begin);
}

const endsWord = (char: string): boolean => char === "" || isNewline(char) || ";,]} \t".includes(char);

/** An unquoted word up to a blank, a line end or one of `;,]}`. A `'` ends it and is skipped. */
export function readWord(scan: Scanner, begun = ""): Word {
  let text = begun;
  let plain = true;
  while (!endsWord(scan.peek())) {
    if (scan.peek() === "'") {
      scan.next();
      return { text, plain: false };
    }
    const escaped = scan.peek() === "\\";
    plain &&= !escaped;
    text += escaped ? readEscape(scan) : scan.next();
  }
  return { text, plain };
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", '"': '"', "\\": "\\" };

function readEscape(scan: Scanner): string {
  scan.next();
  const hex = scan.match(/x[0-9a-fA-F]{2}/y);
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex.slice(1), 16));
  const char = ESCAPES[scan.peek()];
  if (char === undefined) return scan.fail('"\\" must start an escape: \\xXX, \\t, \\n, \\r, \\" or \\\\');
  scan.next();
  return char;
}

/**
 * Reads what starts with a digit or `-`: a number (with a size such as `64MB`), a date, an IP address, or a word.
 * Undefined for an unknown size (`1kbb`), which the server silently drops.
 */
export function readNumeric(scan: Scanner, at: Position): ConfigValue | undefined {
  const sign = scan.match(/-/y) ?? "";
  const digits = scan.match(/\d+/y) ?? scan.fail('a digit must follow "-"');
  if (sign === "" && scan.peek() === "-") return readDate(scan, digits, at);
  if (scan.peek() === ".") return readFloat(scan, `${sign}${digits}`, at);
  const suffix = scan.match(/[kmgtpe][bi]*/iy) ?? "";
  const number = `${sign}${digits}`;
  if (suffix !== "")
    return endsNumber(scan.peek()) ? readSize(scan, number, suffix, at) : word(scan, `${number}${suffix}`, at);
  if (sign !== "" || endsNumber(scan.peek())) return readSize(scan, number, "", at);
  // The server adds the next character to the word, whatever it is: `[1]` has no end, `[1 ]` has.
  return word(scan, `${number}${scan.next()}`, at);
}

const endsNumber = (char: string): boolean => char === "" || isNewline(char) || ";,} \t".includes(char);

function word(scan: Scanner, begun: string, at: Position): ConfigValue {
  return { kind: "string", value: readWord(scan, begun).text, at };
}

function readDate(scan: Scanner, year: string, at: Position): ConfigValue {
  const rest = scan.match(/-\d\d-\d\dT\d\d:\d\d:\d\dZ/y);
  const value = `${year}${rest ?? ""}`;
  if (year.length !== 4 || rest === undefined || Number.isNaN(Date.parse(value)))
    return scan.fail("a date must be complete, like 2026-01-31T12:00:00Z");
  return { kind: "date", value, at };
}

function readFloat(scan: Scanner, whole: string, at: Position): ConfigValue {
  const fraction = scan.match(/\.\d+/y) ?? scan.fail('a digit must follow "."');
  if (scan.peek() !== ".") return { kind: "number", value: Number(whole + fraction), at };
  return { kind: "string", value: `${whole}${fraction}${scan.match(/[\d.:-]*/y)}`, at };
}

const POWERS: Readonly<Record<string, bigint>> = { "": 0n, k: 1n, m: 2n, g: 3n, t: 4n, p: 5n, e: 6n };
/** `k` counts by 1000; `kb`, `ki` and `kib` by 1024. */
const BASES: Readonly<Record<string, bigint>> = { "": 1000n, b: 1024n, i: 1024n, ib: 1024n };

function readSize(scan: Scanner, digits: string, suffix: string, at: Position): ConfigValue | undefined {
  const number = BigInt(digits);
  if (BigInt.asIntN(64, number) !== number) scan.fail("a number does not fit into 64 bits");
  const base = BASES[suffix.slice(1).toLowerCase()];
  const power = POWERS[suffix.slice(0, 1).toLowerCase()];
  if (base === undefined || power === undefined) return undefined;
  return { kind: "number", value: Number(BigInt.asIntN(64, number * base ** power)), at };
}
