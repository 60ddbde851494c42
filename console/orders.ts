import { asRelightError, errorFields } from "../lib/errors.ts";
import type { Job } from "../lib/ports/jobs.ts";
import type { ConsoleSettings } from "./settings.ts";

/** The jobs that people ordered here. */
export interface Orders {
  /** Starts a job and returns at once. */
  start(job: Job): void;
  /** Why the job could not be done, if it failed in this process; for people. */
  failureOf(correlation: string): string | undefined;
  /** Waits for the jobs that run in this process. */
  drain(): Promise<void>;
}

/** How many failures to remember. The journal has those of jobs that began. */
const MOST = 200;

/** Queues jobs, or runs each to its end if the queue is in this process. */
export function ordersOf({ withApp, log }: Pick<ConsoleSettings, "withApp" | "log">): Orders {
  const failures = new Map<string, string>();
  const running = new Set<Promise<void>>();

  const failed = (job: Job, thrown: unknown): void => {
    const { message, advice, code } = asRelightError(thrown);
    log.error("an order failed", { account: job.account, correlation: job.id, ...errorFields(thrown) });
    failures.set(
      job.id,
      code === "internal" ? "an error inside Relight; its log has the details" : `${message}. ${advice}`,
    );
    const [oldest] = failures.keys();
    if (failures.size > MOST && oldest !== undefined) failures.delete(oldest);
  };

  async function work(job: Job): Promise<void> {
    try {
      const end = await withApp((app) => app.order(job));
      if (end.state === "failed") failed(job, end.error);
    } catch (thrown) {
      failed(job, thrown);
    }
  }

  return {
    start: (job) => {
      const work_ = work(job).finally(() => running.delete(work_));
      running.add(work_);
    },
    failureOf: (correlation) => failures.get(correlation),
    drain: async () => void (await Promise.all(running)),
  };
}
