import { ACCOUNT_KINDS } from "./explain-accounts.ts";
import { CONNECTION_KINDS } from "./explain-connections.ts";
import { JETSTREAM_KINDS } from "./explain-jetstream.ts";
import type { LogKind, Worry } from "./explain-kind.ts";
import { LEAF_KINDS } from "./explain-leafnodes.ts";
import { REPLICA_KINDS } from "./explain-replicas.ts";
import { SERVER_KINDS } from "./explain-server.ts";

/** All kinds of explained log lines. The first one that matches a line is its kind. */
export const LOG_KINDS: readonly LogKind[] = [
  ...LEAF_KINDS,
  ...ACCOUNT_KINDS,
  ...REPLICA_KINDS,
  ...JETSTREAM_KINDS,
  ...CONNECTION_KINDS,
  ...SERVER_KINDS,
];

/** All lines of one kind. */
export interface Explained {
  readonly kind: LogKind;
  readonly count: number;
  /** The first such line, unchanged. */
  readonly example: string;
  /** The number of lines per account, for lines that name one. */
  readonly accounts: ReadonlyMap<string, number>;
}

/** Unexplained lines that differ only in numbers and ids. */
export interface Unexplained {
  readonly example: string;
  readonly count: number;
  readonly level: Level;
}

/** Every fatal line is explained. */
type Level = "ERR" | "WRN" | "other";

export interface Explanation {
  readonly lines: number;
  readonly worry: Worry;
  /** The most urgent first, then the most frequent. */
  readonly explained: readonly Explained[];
  readonly unexplained: { readonly lines: number; readonly groups: readonly Unexplained[] };
}

interface Matcher {
  readonly kind: LogKind;
  readonly pattern: RegExp;
}

const MATCHERS: readonly Matcher[] = LOG_KINDS.map((kind) => ({
  kind,
  pattern: new RegExp(kind.texts.map(patternOf).join("|")),
}));

/** The pattern of a Go format string. In a text that is quoted itself, quotes have a backslash. */
function patternOf(text: string): string {
  const escaped = text.replace(/[.*+?^$()|[\]{}\\]/g, "\\$&");
  return escaped.replace(/%q/g, '\\\\?"[^"]*"').replace(/%(?:\\[+.]|\d)*[a-zA-Z]/g, ".*?");
}

export function kindOf(line: string): LogKind | undefined {
  return MATCHERS.find(({ kind, pattern }) => pattern.test(line) && (kind.only?.test(line) ?? true))?.kind;
}

/** Reads a nats-server log line by line. Ignores empty lines. */
export class LogReader {
  readonly #explained = new Map<LogKind, { count: number; example: string; accounts: Map<string, number> }>();
  readonly #unexplained = new Map<string, { count: number; example: string; level: Level }>();
  #lines = 0;

  add(text: string): void {
    const line = text.replace(COLORS, "");
    if (line.trim() === "") return;
    this.#lines += 1;
    const kind = kindOf(line);
    if (kind === undefined) {
      const start = () => ({ count: 0, example: line, level: levelOf(line) });
      entry(this.#unexplained, shapeOf(line), start).count += 1;
      return;
    }
    const group = entry(this.#explained, kind, () => ({ count: 0, example: line, accounts: new Map() }));
    group.count += 1;
    for (const account of accountsIn(line)) group.accounts.set(account, (group.accounts.get(account) ?? 0) + 1);
  }

  explanation(): Explanation {
    const explained = [...this.#explained].map(([kind, group]) => ({ kind, ...group })).sort(byWorry);
    const groups = [...this.#unexplained.values()].sort(byLevel);
    const lines = groups.reduce((sum, { count }) => sum + count, 0);
    return { lines: this.#lines, worry: worryOf(explained, groups), explained, unexplained: { lines, groups } };
  }
}

/** What terminals obey, as servers write it for a terminal (`[\x1b[31mERR\x1b[0m]`). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colors begin with
const COLORS = /\x1b\[[\d;]*m/g;

/** Explains the lines of a nats-server log. */
export function explain(lines: Iterable<string>): Explanation {
  const reader = new LogReader();
  for (const line of lines) reader.add(line);
  return reader.explanation();
}

/** An error that nobody explained is worth a look. */
function worryOf(explained: readonly Explained[], groups: readonly Unexplained[]): Worry {
  const worst = explained[0]?.kind.worry ?? "none";
  return worst === "none" && groups.some(({ level }) => level === "ERR") ? "look" : worst;
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const value = map.get(key) ?? create();
  map.set(key, value);
  return value;
}

const WORRIES: readonly Worry[] = ["act", "look", "none"];
const LEVELS: readonly Level[] = ["ERR", "WRN", "other"];

const byWorry = (a: Explained, b: Explained): number =>
  WORRIES.indexOf(a.kind.worry) - WORRIES.indexOf(b.kind.worry) || b.count - a.count;
const byLevel = (a: Unexplained, b: Unexplained): number =>
  LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) || b.count - a.count;

const levelOf = (line: string): Level => (/\[(ERR|WRN)\]/.exec(line)?.[1] ?? "other") as Level;

const accountsIn = (line: string): ReadonlySet<string> => new Set(line.match(/\bA[A-Z2-7]{55}\b/g) ?? []);

/** The line without time, addresses, ids and numbers. */
function shapeOf(line: string): string {
  return line
    .replace(/^.*?(?=\[(?:FTL|ERR|WRN|INF|DBG|TRC)\])/, "")
    .replace(/\b[A-Z2-7]{56,}\b/g, "ID")
    .replace(/"[^"]*"|'[^']*'/g, "Q")
    .replace(/0x[0-9a-f]+|\d+(?:[.:]\d+)*\s?(?:µs|ms|s|m|h|[KMGT]?i?B)?/g, "N");
}
