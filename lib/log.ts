import pino from "pino";
import { printableJson } from "./domain/time/printable.ts";
import { redact, redactText } from "./domain/time/redact.ts";
import type { Log } from "./ports/log.ts";

const LEVELS = ["info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** The level that `RELIGHT_LOG_LEVEL` names; `otherwise` if it names none. */
export const levelNamed = (name: string | undefined, otherwise: LogLevel): LogLevel =>
  LEVELS.find((level) => level === name) ?? otherwise;

export interface LogOptions {
  readonly level: LogLevel;
  /** Where lines go; by default standard error, because standard output is for results. */
  readonly write?: (line: string) => void;
  /** Fields added to every line, such as the correlation id. */
  readonly fields?: object;
}

/** The one logger: JSON lines, each passed through {@link redact} and without characters that a terminal obeys. */
export function createLog({ level, write, fields = {} }: LogOptions): Log {
  const out = pino.destination({ fd: 2, sync: true });
  const put = write ?? ((line: string) => void out.write(line));
  const destination = { write: (line: string) => put(printableJson(line)) };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  const line =
    (at: "info" | "warn" | "error") =>
    (message: string, data: object = {}) =>
      logger[at](redact({ ...fields, ...data }) as object, redactText(message));
  return { info: line("info"), warn: line("warn"), error: line("error") };
}
