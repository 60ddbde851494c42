import { inProcessJobs } from "../adapters/local/in-process-jobs.ts";
import { millis } from "../domain/time/time.ts";
import { asRelightError, errorFields, RelightError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Job, Jobs } from "../ports/jobs.ts";
import type { Log } from "../ports/log.ts";

export interface OrderQueueSettings {
  /** Runs one job to its end, on its own connection. */
  readonly run: (job: Job) => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly onQueued?: Parameters<typeof inProcessJobs>[0]["onQueued"];
}

export interface OrderQueue extends Pick<Jobs, "drain"> {
  /**
   * Queues a job. A delivered JWT is not kept anywhere, so this returns only when its job has ended; what a retry may fix
   * is then the issuer's to repeat.
   * @throws RelightError what ended the job of a delivered JWT, if a retry may fix it; `interrupted`
   */
  enqueue(job: Job): Promise<void>;
}

/** Pauses before a job is tried again, which together outlast the lease of a crashed job; milliseconds. */
const PAUSES = [5_000, 10_000, 15_000, 15_000, 60_000];

/** The queue of a process that lives long: it tries again what a retry may fix. */
export function orderQueue({ run, clock, log, signal, onQueued }: OrderQueueSettings): OrderQueue {
  const ends = new Map<string, PromiseWithResolvers<void>>();

  async function once(job: Job): Promise<void> {
    if (signal.aborted) throw new RelightError("interrupted", "stopped before it began");
    await run(job);
  }

  async function withRetries(job: Job): Promise<void> {
    for (const pause of PAUSES) {
      try {
        return await once(job);
      } catch (thrown) {
        if (signal.aborted || !asRelightError(thrown).retryable) throw thrown;
        log.warn("an order is tried again", { account: job.account, correlation: job.id, ...errorFields(thrown) });
        await clock.sleep(millis(pause), signal);
      }
    }
    await once(job);
  }

  const jobs = inProcessJobs({
    onQueued,
    work: async (job) => {
      await (job.token === undefined ? withRetries(job) : once(job));
      ends.get(job.id)?.resolve();
      ends.delete(job.id);
    },
    onError: (thrown, { id, account }) => {
      log.error("an order failed", { account, correlation: id, ...errorFields(thrown) });
      if (asRelightError(thrown).retryable) ends.get(id)?.reject(thrown);
      else ends.get(id)?.resolve();
      ends.delete(id);
    },
  });
  return {
    enqueue: async (job) => {
      if (signal.aborted) throw new RelightError("interrupted", "this process is ending");
      const end = ends.get(job.id) ?? Promise.withResolvers<void>();
      if (job.token !== undefined) ends.set(job.id, end);
      await jobs.enqueue(job);
      if (job.token !== undefined) await end.promise;
    },
    drain: jobs.drain,
  };
}
