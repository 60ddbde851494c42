import type { ConfigMap, ConfigSource, ConfigSources, ConfigValue, ParsedConfig, Position } from "./nats-config.ts";
import {
  readBlock,
  readDoubleQuoted,
  readNumeric,
  readSingleQuoted,
  readWord,
  type Word,
} from "./nats-config-scalars.ts";
import { ConfigFault, isNewline, isSeparator, isSpace, Scanner } from "./nats-config-scanner.ts";

type Scope = Map<string, ConfigValue>;

interface Parse {
  readonly scan: Scanner;
  readonly sources: ConfigSources;
  /** The enclosing maps, outermost first, for resolving `$NAME`. */
  readonly scopes: readonly Scope[];
  /** The chain of including files. */
  readonly files: readonly string[];
  /** Environment variables being read, to detect one that refers to itself. */
  readonly variables: readonly string[];
  /** How many maps and lists are open. */
  readonly depth: number;
}

/** Deeper than any configuration, and less than the stack holds. */
const DEEPEST = 200;

function deeper(parse: Parse, at: Position): Parse {
  const depth = parse.depth + 1;
  return depth > DEEPEST
    ? parse.scan.fail(`maps and lists are nested more than ${DEEPEST} deep`, at)
    : { ...parse, depth };
}

/**
 * Parses a nats-server configuration like conf/lex.go and conf/parse.go of nats-server 2.10.27 and 2.15.1: it accepts the
 * same texts with the same values. It is stricter only about mistakes that they misread: a key without a value in a map
 * (which they read as the key of another map), and a quote or brace as a file's last word.
 */
export function parseNatsConfig(source: ConfigSource, sources: ConfigSources): ParsedConfig {
  try {
    const at = new Scanner(source).position;
    return { ok: true, root: { kind: "map", entries: parseFile(source, sources, []), at } };
  } catch (thrown) {
    if (!(thrown instanceof ConfigFault)) throw thrown;
    return { ok: false, at: thrown.at, problem: thrown.message };
  }
}

function parseFile(source: ConfigSource, sources: ConfigSources, files: readonly string[]): Scope {
  const scope: Scope = new Map();
  const scan = new Scanner(source);
  const parse: Parse = { scan, sources, scopes: [scope], files: [...files, source.file], variables: [], depth: 0 };
  readTop(parse, scope);
  return scope;
}

/** The top level. As in JSON, `{` and `}` around all or part of it have no effect. */
function readTop(parse: Parse, scope: Scope): void {
  const { scan } = parse;
  for (;;) {
    scan.skipSpaceAndComments();
    if (scan.isAtEnd()) return;
    if (scan.peek() === "{") readBraces(deeper(parse, scan.position), scope);
    else if (!readEntry(parse, scope, "top")) return;
    else endTopValue(scan);
  }
}

function endTopValue(scan: Scanner): void {
  scan.takeWhile((char) => " \t/".includes(char) && !isComment(scan));
  if (scan.skipComment() || scan.isAtEnd()) return;
  const char = scan.peek();
  if (!isNewline(char) && !";,}".includes(char))
    scan.fail(`expected the end of the line after a value, but found "${char}"`);
  scan.next();
}

const isComment = (scan: Scanner): boolean => scan.peek() === "/" && scan.peek(1) === "/";

function readBraces(parse: Parse, scope: Scope): void {
  const { scan } = parse;
  scan.next();
  for (;;) {
    scan.skipSpaceAndComments();
    if (scan.isAtEnd()) return;
    const char = scan.peek();
    if (char === "}") return void scan.next();
    if (char === "{") readBraces(deeper(parse, scan.position), scope);
    else if (!readEntry(parse, scope, "top")) return;
    if (endBracesValue(scan, char === "{")) return;
  }
}

/** Reads what may follow a value between top-level braces; true if the braces end. */
function endBracesValue(scan: Scanner, afterBraces: boolean): boolean {
  do scan.takeWhile((char) => (" \t/".includes(char) || (afterBraces && isNewline(char))) && !isComment(scan));
  while (!afterBraces && scan.skipComment());
  if (afterBraces && scan.skipComment()) return false;
  const char = scan.peek();
  if (char !== "}" && char !== ";" && char !== "," && !isNewline(char))
    scan.fail(`expected the end of the line or a closing brace after a value, but found ${describe(char)}`);
  scan.next();
  return char === "}";
}

const describe = (char: string): string => (char === "" ? "the end of the file" : `"${char}"`);

/** Reads `key value` into `scope`. False if the file ends with a lone `}` instead, which is allowed. */
function readEntry(parse: Parse, scope: Scope, level: "top" | "map"): boolean {
  const { scan } = parse;
  const at = scan.position;
  if (isSeparator(scan.peek())) scan.fail(`there is no key before "${scan.peek()}"`);
  if (level === "top" && scan.peek() === "/") scan.fail('a single "/" starts neither a comment nor a key');
  const quoted = scan.peek() === '"' || scan.peek() === "'";
  const key = quoted ? readQuotedKey(scan) : readPlainKey(scan);
  if (!quoted && key.toLowerCase() === "include" && isSpace(scan.peek())) {
    for (const [name, value] of readInclude(parse)) scope.set(name, value);
    return true;
  }
  if (!skipToValue(scan, key, at, level)) return false;
  const value = readValue(parse, at);
  if (value !== undefined) scope.set(key, value);
  return true;
}

function readQuotedKey(scan: Scanner): string {
  const begin = scan.position;
  const quote = scan.next();
  const key = scan.takeWhile((char) => char !== quote);
  if (scan.isAtEnd()) scan.fail(`a key that starts with ${quote} has no end`, begin);
  scan.next();
  return key;
}

const readPlainKey = (scan: Scanner): string =>
  scan.next() + scan.takeWhile((char) => !isSpace(char) && !isSeparator(char));

/** The separator is optional. Without one the value may be on a later line. False at the end of the file. */
function skipToValue(scan: Scanner, key: string, at: Position, level: "top" | "map"): boolean {
  scan.skipSpace();
  const separated = isSeparator(scan.peek());
  if (separated) scan.next();
  if (separated && level === "top") scan.skipBlanks();
  else scan.skipSpace();
  if (!separated && level === "top" && scan.isAtEnd()) {
    if (key !== "}") scan.fail("this key has no value", at);
    return false;
  }
  if (level === "map" && (scan.peek() === "," || scan.peek() === "}" || scan.isAtEnd()))
    scan.fail("this key has no value", at);
  return true;
}

function readValue(parse: Parse, at: Position): ConfigValue | undefined {
  const { scan } = parse;
  const char = scan.peek();
  const string = (value: string): ConfigValue => ({ kind: "string", value, at });
  if (char === "[") return readArray(deeper(parse, at), at);
  if (char === "{") return readMap(deeper(parse, at), at);
  if (char === "'") return string(readSingleQuoted(scan));
  if (char === '"') return string(readDoubleQuoted(scan));
  if (char === "(") return string(readBlock(scan));
  if (/[\d-]/.test(char)) return readNumeric(scan, at);
  if (char === ".") scan.fail('a number must start with a digit, not with "."');
  if (isNewline(char)) scan.fail("a value must be on the same line as its separator");
  return wordValue(parse, readWord(scan), at);
}

function wordValue(parse: Parse, { text, plain }: Word, at: Position): ConfigValue {
  const lower = text.toLowerCase();
  if (plain && ["true", "yes", "on"].includes(lower)) return { kind: "boolean", value: true, at };
  if (plain && ["false", "no", "off"].includes(lower)) return { kind: "boolean", value: false, at };
  if (plain && text.startsWith("$")) return readVariable(parse, text.slice(1), at);
  return { kind: "string", value: text, at };
}

function readArray(parse: Parse, at: Position): ConfigValue {
  const { scan } = parse;
  const items: ConfigValue[] = [];
  scan.next();
  for (;;) {
    scan.skipSpaceAndComments();
    if (scan.peek() === "]") break;
    if (scan.isAtEnd()) scan.fail("a list that starts with [ has no end", at);
    if (",/".includes(scan.peek())) scan.fail(`there is no value before "${scan.peek()}" in a list`);
    const item = readValue(parse, scan.position);
    if (item !== undefined) items.push(item);
    if (endArrayValue(scan, at)) break;
  }
  scan.next();
  return { kind: "array", items, at };
}

/** Skips the separator between two values; true before the `]`. */
function endArrayValue(scan: Scanner, begin: Position): boolean {
  do scan.skipBlanks();
  while (scan.skipComment());
  if (scan.isAtEnd()) scan.fail("a list that starts with [ has no end", begin);
  const char = scan.peek();
  if (char === "]") return true;
  if (!",/".includes(char) && !isNewline(char))
    scan.fail(`expected "," or "]" after a value in a list, but found "${char}"`);
  scan.next();
  return false;
}

function readMap(parse: Parse, at: Position): ConfigMap {
  const { scan } = parse;
  const entries: Scope = new Map();
  scan.next();
  for (;;) {
    scan.skipSpaceAndComments();
    if (scan.peek() === "}") break;
    if (scan.isAtEnd()) scan.fail("a map that starts with { has no end", at);
    if (scan.peek() === "]") scan.fail('found "]" in a map');
    readEntry({ ...parse, scopes: [...parse.scopes, entries] }, entries, "map");
    if (endMapValue(scan, at)) break;
  }
  scan.next();
  return { kind: "map", entries, at };
}

/** Skips the separator between two entries; true before the `}`. */
function endMapValue(scan: Scanner, begin: Position): boolean {
  do scan.skipBlanks();
  while (scan.skipComment());
  if (scan.isAtEnd()) scan.fail("a map that starts with { has no end", begin);
  const char = scan.peek();
  if (char === "}") return true;
  if (!",;/".includes(char) && !isNewline(char))
    scan.fail(`expected the end of the line, "," or "}" after a value in a map, but found "${char}"`);
  scan.next();
  return false;
}

/** Does not show the name: it may be the start of an unquoted password. */
export const UNDEFINED =
  "a variable (a word that starts with $) is neither defined above nor in the environment; if it is not a variable, quote it";

function readVariable(parse: Parse, name: string, at: Position): ConfigValue {
  // Passwords hashed with bcrypt need no quotes.
  if (name.startsWith("2a$")) return { kind: "string", value: `$${name}`, at };
  const near = parse.scopes.findLast((scope) => scope.has(name))?.get(name);
  if (near !== undefined) return { ...near, at };
  const text = parse.variables.includes(name) ? undefined : parse.sources.variable(name);
  if (text === undefined) return unknownVariable(parse, at);
  const scope: Scope = new Map();
  const scan = new Scanner({ file: at.file, text: `pk=${text}` });
  const variables = [...parse.variables, name];
  readTop({ ...parse, scan, scopes: [scope], variables }, scope);
  const value = scope.get("pk");
  return value === undefined ? parse.scan.fail(UNDEFINED, at) : { ...value, at };
}

function unknownVariable({ scan, sources, variables }: Parse, at: Position): ConfigValue {
  // One that refers to itself is a fault, whoever knows it.
  if (sources.unknownVariable === undefined || variables.length > 0) return scan.fail(UNDEFINED, at);
  sources.unknownVariable(scan.position);
  return { kind: "unknown", at };
}

/** Reads an included file. It does not see variables of the including file. */
function readInclude({ scan, sources, files }: Parse): Scope {
  const at = scan.position;
  scan.skipBlanks();
  const path = readIncludePath(scan);
  const source = sources.include(at.file, path);
  if (source === undefined) return scan.fail(`the included file "${path}" can't be read`, at);
  if (files.includes(source.file)) return scan.fail(`"${path}" includes itself`, at);
  return parseFile(source, sources, files);
}

function readIncludePath(scan: Scanner): string {
  const char = scan.peek();
  if (char === '"' || char === "'") return readQuotedKey(scan);
  if (char === "" || isNewline(char) || /[[{(\d\\-]/.test(char)) scan.fail("include needs a file name");
  const path = scan.takeWhile((next) => !isSpace(next) && !";}'".includes(next));
  if (scan.peek() === "'") scan.next();
  return path;
}
