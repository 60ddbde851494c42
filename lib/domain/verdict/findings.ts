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

/** What a failed probe amounts to: the part that it should have looked at is unknown. */
export function failedProbe(
  what: string,
  probe: { code: string; message: string },
  subject: Subject = {},
): Finding {
  const { code, message } = probe;
  return finding("probe.failed", "unknown", subject, `could not look at ${what}: ${message}`, {
    error: code,
  });
}
