import type { Evidence } from "../observation/observation.ts";
import type { Finding, Subject } from "./verdict.ts";

export function finding(
  code: Finding["code"],
  health: Finding["health"],
  subject: Subject,
  message: string,
  evidence: Evidence = {},
): Finding {
  return { code, health, subject, message, evidence };
}

/** The finding of a failed probe: what it should have checked is unknown. */
export function failedProbe(what: string, probe: { code: string; message: string }, subject: Subject = {}): Finding {
  const { code, message } = probe;
  return finding("probe.failed", "unknown", subject, `could not check ${what}: ${message}`, {
    error: code,
  });
}
