import { asRelightError } from "../errors.ts";
import type { Jobs } from "../ports/jobs.ts";
import { pageSweepFailure, sweepWorked } from "../usecases/paging/page-sweep.ts";
import type { Remediation } from "../usecases/remediate/remediation.ts";
import { type ExpirySources, watchExpiries } from "../usecases/reports/expiries.ts";
import { isKnownRenewal } from "../usecases/reports/known-renewal.ts";
import { listedSchedule } from "../usecases/reports/schedule.ts";
import { type Sweep, type SweepOrder, sweep } from "../usecases/sweep/sweep.ts";
import type { Parts } from "./open-parts.ts";

export interface SweepRun {
  readonly parts: Parts;
  readonly jobs: Jobs;
  readonly expirySources: ExpirySources;
  /** What the jobs of an in-process queue add their results to. */
  readonly results: readonly Remediation[];
}

/** One sweep, the jobs that it queues in this process, and then whatever else expires. A failure is paged. */
export async function runSweep({ parts, jobs, expirySources, results }: SweepRun, order: SweepOrder): Promise<Sweep> {
  const { base, config, context } = parts;
  const { log, metrics, newId } = base;
  const { configured } = expirySources;
  try {
    const opened = await context();
    const listed = listedSchedule(opened, config.operator.retiring);
    const sweeping = { ...opened, metrics, jobs, configured, settings: config.sweep, onListed: listed.add };
    const report = await sweep(sweeping, order);
    await jobs.drain();
    await sweepWorked(await parts.pager(), newId());
    const changed = results
      .filter((result) => result.pushed !== undefined && !isKnownRenewal(listed, result))
      .map(({ verdict }) => verdict.account);
    await listed
      .schedule(changed)
      .then(async (known) => watchExpiries(await context(), expirySources, newId(), known))
      .catch((thrown: unknown) =>
        log.error("expiries could not be checked", { error: asRelightError(thrown).toJSON() }),
      );
    return report;
  } catch (thrown) {
    await pageSweepFailure(await parts.pager(), newId(), asRelightError(thrown));
    throw thrown;
  }
}
