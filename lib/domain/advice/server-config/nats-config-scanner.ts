import type { Position } from "./nats-config.ts";

/** A fault in the text. It never leaves the parser, which turns it into a value. */
export class ConfigFault extends Error {
  readonly at: Position;

  constructor(problem: string, at: Position) {
    super(problem);
    this.at = at;
  }
}

/** What Go's `unicode.IsSpace` takes for space: not quite what JavaScript's `\s` is. */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export const isSpace = (char: string): boolean => SPACE.test(char);
export const isNewline = (char: string): boolean => char === "\n" || char === "\r";
export const isSeparator = (char: string): boolean => char === ":" || char === "=";

/** Walks through a text and counts its lines. */
export class Scanner {
  readonly #text: string;
  readonly #file: string;
  #index = 0;
  #line = 1;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  /** The next character, or "" at the end. */
  peek(ahead = 0): string {
    return this.#text[this.#index + ahead] ?? "";
  }

  next(): string {
    const char = this.peek();
    if (char === "\n") this.#line += 1;
    this.#index += char.length;
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

  /** What `pattern` (sticky, within one line) matches here, taken; undefined if it does not. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#index;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#index += found.length;
    return found;
  }

  skipSpace(): void {
    this.takeWhile(isSpace);
  }

  /** Spaces and tabs, but no line ends. */
  skipBlanks(): void {
    this.takeWhile((char) => char === " " || char === "\t");
  }

  /** Skips a comment up to its line's end; false if there is none. */
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
    return { file: this.#file, line: this.#line };
  }

  fail(problem: string, at: Position = this.position): never {
    throw new ConfigFault(problem, at);
  }
}
