import type { Evidence } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import type { Finding, Subject } from "./verdict.ts";

/** @param advice what to do about it, if that is known; the message ends with it */
export function finding(
  code: Finding["code"],
  health: Finding["health"],
  subject: Subject,
  message: string,
  evidence: Evidence = {},
  advice?: string,
): Finding {
  const whole = advice === undefined ? message : `${message}; ${advice}`;
  return { code, health, subject, message: whole, ...defined({ advice }), evidence };
}

/** What is wrong, without what to do about it. */
export const problemOf = ({ message, advice }: Pick<Finding, "message" | "advice">): string =>
  advice === undefined ? message : message.slice(0, -`; ${advice}`.length);

/** The finding of a failed probe: what it should have checked is unknown. */
export function failedProbe(what: string, probe: { code: string; message: string }, subject: Subject = {}): Finding {
  const { code, message } = probe;
  return finding("probe.failed", "unknown", subject, `could not check ${what}: ${message}`, {
    error: code,
  });
}
