import {
  measuresOfFailedJob,
  measuresOfJob,
  measuresOfSweep,
  type SweepFacts,
} from "../../domain/metrics/measures.ts";
import { asRelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Metrics } from "../../ports/observers.ts";
import type { Remediation } from "../remediate/remediate.ts";

interface MetricsDependencies {
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** One job, measured however it ends. @throws what `work` throws */
export async function measuredJob(
  { metrics, clock }: MetricsDependencies,
  work: () => Promise<Remediation>,
): Promise<Remediation> {
  try {
    const result = await work();
    metrics.emit(measuresOfJob(result, clock.now()));
    return result;
  } catch (thrown) {
    metrics.emit(measuresOfFailedJob(asRelightError(thrown)));
    throw thrown;
  }
}

/** One sweep, measured if it ends: what failed has finished nothing. @throws what `work` throws */
export async function measuredSweep<T extends SweepFacts>(
  { metrics, clock }: MetricsDependencies,
  work: () => Promise<T>,
): Promise<T> {
  const report = await work();
  metrics.emit(measuresOfSweep(report, clock.now()));
  return report;
}
