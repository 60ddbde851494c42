import { asRelightError, type RelightError } from "../../errors.ts";
import { escalate, resolveIncidents } from "./escalate.ts";
import { isAnyNearEnd } from "./near-end.ts";
import type { EscalateDependencies } from "./pager.ts";

/**
 * Pages a person about a failed sweep, because nobody reads the output of scheduled sweeps. If only answers are missing, it
 * waits until that has lasted, unless an account nears its expiry meanwhile.
 */
export async function pageSweepFailure(pager: EscalateDependencies, id: string, error: RelightError): Promise<void> {
  const mayPass = error.retryable && error.code.startsWith("nats.");
  const waits = mayPass && !(await mayNotWait(pager)) ? "until-it-lasts" : "not-at-all";
  await escalate(
    pager,
    { id, account: "-" },
    {
      failureClass: "cluster_unreachable",
      severity: "critical",
      summary: `the sweep failed: ${error.message.split("\n")[0]}`,
      advice: [error.advice],
      evidence: { error: error.toJSON() },
      about: error.code,
      waits,
    },
  );
}

/** Without a readable journal, do not wait. */
async function mayNotWait(pager: EscalateDependencies): Promise<boolean> {
  try {
    return await isAnyNearEnd(pager);
  } catch (thrown) {
    pager.log.error("how near accounts are to their end is not known", {
      error: asRelightError(thrown).toJSON(),
    });
    return true;
  }
}

export async function sweepWorked(pager: EscalateDependencies, id: string): Promise<void> {
  const job = { id, account: "-" } as const;
  await resolveIncidents(pager, job, (open) => open === "cluster_unreachable");
}
