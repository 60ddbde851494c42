import { printableJson } from "./domain/time/printable.ts";
import { redact, redactText } from "./domain/time/redact.ts";
import { epochMillis, isoTime } from "./domain/time/time.ts";
import type { Log } from "./ports/log.ts";

/** As pino and bunyan number them, which log viewers know. */
const LEVELS = { info: 30, warn: 40, error: 50, silent: Number.POSITIVE_INFINITY } as const;
export type LogLevel = keyof typeof LEVELS;

/** The level that `RELIGHT_LOG_LEVEL` names; `otherwise` if it names none. */
export const levelNamed = (name: string | undefined, otherwise: LogLevel): LogLevel =>
  name !== undefined && Object.hasOwn(LEVELS, name) ? (name as LogLevel) : otherwise;

export interface LogOptions {
  readonly level: LogLevel;
  /** Where lines go; by default standard error, because standard output is for results. */
  readonly write?: (line: string) => void;
  /** Fields added to every line, such as the correlation id. */
  readonly fields?: object;
}

/** The one logger: JSON lines, each passed through {@link redact} and without characters that a terminal obeys. */
export function createLog({ level, write = onStandardError, fields = {} }: LogOptions): Log {
  const line =
    (at: "info" | "warn" | "error") =>
    (message: string, data: object = {}): void => {
      if (LEVELS[at] < LEVELS[level]) return;
      const head = { level: LEVELS[at], time: isoTime(epochMillis(Date.now())) };
      const entry = { ...head, ...(redact({ ...fields, ...data }) as object), msg: redactText(message) };
      write(`${printableJson(JSON.stringify(entry, withBigInts))}\n`);
    };
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

const onStandardError = (line: string): void => void process.stderr.write(line);

const withBigInts = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);
