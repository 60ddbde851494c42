import type { Job, Jobs } from "../../../lib/ports.ts";

export interface FakeJobs extends Jobs {
  /** What was queued, in order; each id once. */
  readonly queued: readonly Job[];
}

/** A queue that nobody works on: it only remembers. */
export function fakeJobs(): FakeJobs {
  const queued: Job[] = [];
  return {
    queued,
    enqueue: async (job) => {
      if (!queued.some(({ id }) => id === job.id)) queued.push(structuredClone(job));
    },
    drain: async () => {},
  };
}
