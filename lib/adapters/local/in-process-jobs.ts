import type { Job, Jobs } from "../../ports/jobs.ts";

export interface InProcessJobsSettings {
  /** Runs one job. */
  readonly work: (job: Job) => Promise<void>;
  /** Called when a job fails; the next one runs anyway. Must not throw. */
  readonly onError: (error: unknown, job: Job) => void;
  /** Called when a job is queued; the result is called when it begins. */
  readonly onQueued?: ((job: Job) => () => void) | undefined;
  /** How many accounts to work on at once. */
  readonly parallel?: number;
}

/**
 * A queue in this process: first in, first out per account, several accounts at once. A job whose id is already waiting or
 * running is not queued again. The queue ends with the process.
 */
export function inProcessJobs({ work, onError, onQueued, parallel = 4 }: InProcessJobsSettings): Jobs {
  const waiting: { readonly job: Job; readonly begins: (() => void) | undefined }[] = [];
  const busyAccounts = new Set<string>();
  /** The ids of all waiting and running jobs. */
  const ids = new Set<string>();
  let idle = Promise.withResolvers<void>();
  idle.resolve();

  const startNext = (): boolean => {
    if (busyAccounts.size >= parallel) return false;
    const index = waiting.findIndex(({ job }) => !busyAccounts.has(job.account));
    const [next] = index < 0 ? [] : waiting.splice(index, 1);
    if (next === undefined) return false;
    busyAccounts.add(next.job.account);
    next.begins?.();
    void run(next.job);
    return true;
  };

  const startAll = () => {
    while (startNext());
  };

  const run = async (job: Job) => {
    try {
      await work(job);
    } catch (error) {
      onError(error, job);
    } finally {
      busyAccounts.delete(job.account);
      ids.delete(job.id);
      startAll();
      if (ids.size === 0) idle.resolve();
    }
  };

  const enqueue = (job: Job): void => {
    if (ids.has(job.id)) return;
    if (ids.size === 0) idle = Promise.withResolvers();
    ids.add(job.id);
    waiting.push({ job, begins: onQueued?.(job) });
    startAll();
  };

  return {
    enqueue: async (job) => enqueue(job),
    enqueueAll: async (jobs) => jobs.forEach(enqueue),
    waiting: async () => waiting.length,
    drain: () => idle.promise,
  };
}
