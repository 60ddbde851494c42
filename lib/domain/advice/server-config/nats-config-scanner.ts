import type { ConfigSource, Position, TextBegin } from "./nats-config.ts";

/** A syntax error. The parser catches it and returns it as a value. */
export class ConfigFault extends Error {
  readonly at: Position;

  constructor(problem: string, at: Position) {
    super(problem);
    this.at = at;
  }
}

/** Go's `unicode.IsSpace`, which differs from JavaScript's `\s`. */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export const isSpace = (char: string): boolean => SPACE.test(char);
export const isNewline = (char: string): boolean => char === "\n" || char === "\r";
export const isSeparator = (char: string): boolean => char === ":" || char === "=";

/** Reads through a text and counts lines. */
export class Scanner {
  readonly #text: string;
  readonly #file: string;
  readonly #begin: TextBegin;
  #index = 0;
  #line = 0;
  #lineStart = 0;

  constructor({ text, file, begin = { line: 1, column: 1 } }: ConfigSource) {
    this.#text = text;
    this.#file = file;
    this.#begin = begin;
  }

  /** The next character, or "" at the end. */
  peek(ahead = 0): string {
    return this.#text[this.#index + ahead] ?? "";
  }

  next(): string {
    const char = this.peek();
    this.#index += char.length;
    if (char === "\n") {
      this.#line += 1;
      this.#lineStart = this.#index;
    }
    return char;
  }

  isAtEnd(): boolean {
    return this.#index >= this.#text.length;
  }

  takeWhile(test: (char: string) => boolean): string {
    let taken = "";
    while (!this.isAtEnd() && test(this.peek())) taken += this.next();
    return taken;
  }

  /** Consumes a match of `pattern` (sticky, within one line); undefined if there is none. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#index;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#index += found.length;
    return found;
  }

  skipSpace(): void {
    this.takeWhile(isSpace);
  }

  /** Skips spaces and tabs, but not line ends. */
  skipBlanks(): void {
    this.takeWhile((char) => char === " " || char === "\t");
  }

  /** Skips a comment up to the end of its line; false if there is none. */
  skipComment(): boolean {
    const isComment = this.peek() === "#" || (this.peek() === "/" && this.peek(1) === "/");
    if (isComment) this.takeWhile((char) => !isNewline(char));
    return isComment;
  }

  skipSpaceAndComments(): void {
    do this.skipSpace();
    while (this.skipComment());
  }

  get position(): Position {
    const { line, column, isOnePlace = false } = this.#begin;
    if (isOnePlace) return { file: this.#file, line, column };
    return { file: this.#file, line: line + this.#line, column: column + this.#index - this.#lineStart };
  }

  fail(problem: string, at: Position = this.position): never {
    throw new ConfigFault(problem, at);
  }
}
