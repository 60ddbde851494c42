import type { RelightError } from "../errors.ts";
import { escalate, type Pager, resolveIncidents } from "./escalate.ts";

/** Whoever runs sweeps on a schedule reads no output: a sweep that can't even begin calls a person. */
export async function pageSweepFailure(pager: Pager, id: string, error: RelightError): Promise<void> {
  await escalate(
    pager,
    { id, account: "-" },
    {
      failureClass: "cluster_unreachable",
      severity: "critical",
      summary: `the sweep failed: ${error.message.split("\n")[0]}`,
      advice: [error.mend],
      evidence: { error: error.toJSON() },
      about: error.code,
    },
  );
}

export async function sweepWorked(pager: Pager, id: string): Promise<void> {
  const job = { id, account: "-" } as const;
  await resolveIncidents(pager, job, (open) => open === "cluster_unreachable", "sweeps work again");
}
