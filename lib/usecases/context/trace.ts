import type { Log } from "../../ports/log.ts";
import type { Context } from "./context.ts";

/** A log that adds these fields to every line. */
export function logWith(log: Log, fields: object): Log {
  const line = (level: keyof Log) => (message: string, data?: object) => log[level](message, { ...fields, ...data });
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/** Runs the work as a step of the trace, if there is one. */
export function traced<T>(
  { tracer }: Pick<Context, "tracer">,
  name: string,
  work: () => Promise<T>,
  facts: Readonly<Record<string, string>> = {},
): Promise<T> {
  return tracer === undefined ? work() : tracer.step(name, work, facts);
}
