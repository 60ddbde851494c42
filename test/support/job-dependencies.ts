import type { Measurement } from "../../lib/domain/metrics/measures.ts";
import type { JobNotice } from "../../lib/ports/announcer.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import type { JobDependencies } from "../../lib/usecases/job/job.ts";

/** What a job needs, over a given context; and what was counted and announced of it. */
export function jobDependencies(context: Context) {
  const measured: Measurement[] = [];
  const announced: JobNotice[] = [];
  return {
    ...context,
    context: async () => context,
    metrics: { emit: (list) => void measured.push(...list) },
    announcer: { jobFinished: async (notice) => void announced.push(notice) },
    measured,
    announced,
  } satisfies JobDependencies & { measured: Measurement[]; announced: JobNotice[] };
}
