import type { Job, Jobs } from "../../../lib/ports/jobs.ts";

export interface FakeJobs extends Jobs {
  /** What was queued, in order; each id once. */
  readonly queued: readonly Job[];
}

/** A queue without a worker: it only records. */
export function fakeJobs(): FakeJobs {
  const queued: Job[] = [];
  const ids = new Set<string>();
  const put = (job: Job): void => {
    if (!ids.has(job.id)) queued.push(structuredClone(job));
    ids.add(job.id);
  };
  return {
    queued,
    enqueue: async (job) => put(job),
    enqueueAll: async (jobs) => jobs.forEach(put),
    waiting: async () => queued.length,
    drain: async () => {},
  };
}
