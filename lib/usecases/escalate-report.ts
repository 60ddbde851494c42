import { failureClassOf } from "../domain/incident.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Context, RunningJob } from "./context.ts";
import { escalate, escalateOnce } from "./escalate.ts";
import type { HealReport } from "./heal.ts";

/** Calls a person about what the ladder could not heal, with the evidence and what is left to do. */
export async function escalateReport(context: Context, job: RunningJob, report: HealReport): Promise<void> {
  const { verdict } = report.last;
  const critical = verdict.verdict !== "degraded" || missingOf(report).length > 0;
  // Something that works, but not as it should, is told once; what is dead is told again until it lives.
  const call = critical ? escalate : escalateOnce;
  await call(context, job, {
    failureClass: failureClassOf(verdict) ?? "degraded",
    severity: critical ? "critical" : "warning",
    summary: summaryOf(report),
    advice: adviceFor(report),
    evidence: {
      verdict: verdict as unknown as JsonObject,
      rungs: report.rungs as unknown as JsonObject[],
      losses: report.losses.map(({ message }) => message),
    },
    about: [...new Set(verdict.findings.map(({ code }) => code))].sort().join(" "),
  });
}

/** What nobody allowed to go. */
const missingOf = ({ losses }: HealReport): readonly string[] =>
  losses.filter(({ allowed }) => allowed !== true).map(({ message }) => message);

function summaryOf(report: HealReport): string {
  const { last, why } = report;
  const missing = missingOf(report);
  if (missing.length > 0) return `after a remedy something is missing: ${missing.join("; ")}`;
  const [first, ...others] = last.verdict.findings;
  const more = others.length > 0 ? ` (and ${others.length} more findings)` : "";
  return `${last.verdict.verdict}: ${first?.message ?? why}${more}`;
}

/** What a person can do that Relight may not. */
function adviceFor({ last, rungs, why, outcome }: HealReport): string[] {
  const { verdict } = last;
  const refusals = rungs
    .filter(({ result }) => result === "refused")
    .map((rung) => `${rung.rung}: ${rung.why}`);
  const restart =
    verdict.verdict === "dead"
      ? [
          "Restart no server while any account with streams is expired: that does new damage, on every version.",
        ]
      : [];
  const stopped = outcome === "looked" ? `Relight ${why}.` : `Relight stopped because ${why}.`;
  return [stopped, ...verdict.diagnosis, ...refusals, ...restart];
}
