import pino from "pino";
import type { Log } from "./ports/log.ts";

/**
 * Seeds (S…), JWTs and credential blocks, which must never be logged. Found anywhere, also directly after other letters
 * (`%0ASU…`, `\nSU…`).
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/S[OAUNCX][A-Z2-7]{56,}/g, "[seed]"],
  [/eyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g, "[jwt]"],
  [/-----BEGIN[^-]+-----[\s\S]*?-+END[^-]+-+/g, "[credentials]"],
  [/whsec_[\w+/=]+/g, "[webhook secret]"],
];

/** Fields whose value is always a secret. */
const SECRET_FIELDS = new Set(["seed", "password", "token", "secret", "creds", "credentials", "authorization"]);

/** `text` without secrets. */
export function redactText(text: string): string {
  return SECRETS.reduce((clean, [pattern, name]) => clean.replace(pattern, name), text);
}

/** A copy of `value` without secrets, at any depth. Errors become plain objects, cycles `[circular]`. */
export function redact(value: unknown, seen: ReadonlySet<object> = new Set()): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return "[bytes]";
  if (seen.has(value)) return "[circular]";
  const inside = new Set([...seen, value]);
  if (Array.isArray(value)) return value.map((item) => redact(item, inside));
  return Object.fromEntries(
    entriesOf(value).map(([key, item]) => [
      redactText(key),
      SECRET_FIELDS.has(key.toLowerCase()) && typeof item === "string" ? `[${key}]` : redact(item, inside),
    ]),
  );
}

function entriesOf(value: object): [string, unknown][] {
  if (!(value instanceof Error)) return Object.entries(value);
  const { name, message, stack, cause } = value;
  const fields = { ...value, name, message, ...(stack ? { stack } : {}), ...(cause ? { cause } : {}) };
  return Object.entries(fields);
}

export interface LogOptions {
  readonly level: "info" | "warn" | "error" | "silent";
  /** Where lines go; by default standard error, because standard output is for results. */
  readonly write?: (line: string) => void;
  /** Fields added to every line, such as the correlation id. */
  readonly fields?: object;
}

/** The one logger: JSON lines, each passed through {@link redact}. */
export function createLog({ level, write, fields = {} }: LogOptions): Log {
  const destination = write === undefined ? pino.destination({ fd: 2, sync: true }) : { write };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  const line =
    (at: "info" | "warn" | "error") =>
    (message: string, data: object = {}) =>
      logger[at](redact({ ...fields, ...data }) as object, redactText(message));
  return { info: line("info"), warn: line("warn"), error: line("error") };
}
