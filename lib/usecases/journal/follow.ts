import { defined } from "../../domain/time/defined.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import { asRelightError, told } from "../../errors.ts";
import type { Job } from "../../ports/jobs.ts";
import type { Log } from "../../ports/log.ts";
import type { Context } from "../job/context.ts";

/** A log whose lines all have these fields. */
export function logWith(log: Log, fields: object): Log {
  const line = (level: keyof Log) => (message: string, data?: object) =>
    log[level](message, { ...fields, ...data });
  return { info: line("info"), warn: line("warn"), error: line("error") };
}

/**
 * Does the work of one job so that it can be followed: each of its log lines, its pages and its trace carry the
 * correlation id of what triggered it, and its beginning and its end are a line each.
 * @throws what `work` throws, told once in the log
 */
export async function follow<T extends Followed>(
  outer: Context,
  { account, action, trigger, reason, ...job }: Job,
  work: (context: Context) => Promise<T>,
): Promise<T & { readonly correlation: string }> {
  // Messages of older versions have none.
  const correlation = job.correlation ?? job.id;
  const log = logWith(outer.log, { correlation, account });
  const context = { ...outer, log, correlation };
  const began = context.clock.now();
  const ended = () => ({ action, tookMs: context.clock.now() - began });
  log.info("a job began", { action, trigger, reason });
  try {
    const result = await traced(context, "job", () => work(context), { correlation, account, action });
    log.info("a job ended", { ...whatCame(result, context.clock.now()), ...ended() });
    return { ...result, correlation };
  } catch (thrown) {
    const level = asRelightError(thrown).code === "account.busy" ? "info" : "error";
    log[level]("a job failed", { outcome: "failed", ...ended(), ...told(thrown) });
    throw thrown;
  }
}

/** Of a result, what its log line has. */
interface Followed {
  readonly outcome: string;
  /** ISO 8601, UTC, as those below. */
  readonly expiresAt?: string;
  readonly unwellSince?: string;
  readonly healthySince?: string;
}

function whatCame({ outcome, expiresAt, unwellSince, healthySince }: Followed, now: EpochMillis): object {
  const until = healthySince === undefined ? now : Date.parse(healthySince);
  return {
    outcome,
    ...defined({ expiresAt }),
    ...(unwellSince === undefined ? {} : { recoverSeconds: (until - Date.parse(unwellSince)) / 1_000 }),
  };
}

/** One step of the trace, where there is one. */
export function traced<T>(
  { tracer }: Pick<Context, "tracer">,
  name: string,
  work: () => Promise<T>,
  facts: Readonly<Record<string, string>> = {},
): Promise<T> {
  return tracer === undefined ? work() : tracer.step(name, work, facts);
}
