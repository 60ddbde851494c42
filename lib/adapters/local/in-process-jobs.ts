import type { Job, Jobs } from "../../ports/jobs.ts";

export interface InProcessJobsSettings {
  /** Runs one job. */
  readonly work: (job: Job) => Promise<void>;
  /** Called when a job fails; the next one runs anyway. Must not throw. */
  readonly onError: (error: unknown, job: Job) => void;
  /** How many accounts to work on at once. */
  readonly parallel?: number;
}

/**
 * A queue in this process: first in, first out per account, several accounts at once. A job whose id is already waiting or
 * running is not queued again. The queue ends with the process.
 */
export function inProcessJobs({ work, onError, parallel = 4 }: InProcessJobsSettings): Jobs {
  const waiting: Job[] = [];
  const busyAccounts = new Set<string>();
  /** The ids of all waiting and running jobs. */
  const ids = new Set<string>();
  let idle = Promise.withResolvers<void>();
  idle.resolve();

  const startNext = (): boolean => {
    if (busyAccounts.size >= parallel) return false;
    const index = waiting.findIndex(({ account }) => !busyAccounts.has(account));
    const [job] = index < 0 ? [] : waiting.splice(index, 1);
    if (job === undefined) return false;
    busyAccounts.add(job.account);
    void run(job);
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
    waiting.push(job);
    startAll();
  };

  return {
    enqueue: async (job) => enqueue(job),
    enqueueAll: async (jobs) => jobs.forEach(enqueue),
    waiting: async () => waiting.length,
    drain: () => idle.promise,
  };
}
