import type { AccountId } from "../domain/claims/account.ts";
import { epochMillis, type Millis, millis } from "../domain/time/time.ts";
import type { Clock } from "../ports/clock.ts";
import type { Job } from "../ports/jobs.ts";
import type { Journal } from "../ports/journal.ts";
import { hasBegun, unstartedOrders } from "../usecases/orders/unstarted.ts";
import { isUnfinished, type UnfinishedJob, unfinishedJobs } from "../usecases/sweep/unfinished.ts";

export interface AbandonedSettings {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly configured: readonly AccountId[];
  readonly enqueue: (job: Job) => Promise<void>;
  /** How long the journal keeps the beginnings of jobs; forever if undefined. */
  readonly keeps?: Millis | undefined;
  /** Whether reading all accounts' orders is cheap. */
  readonly findsOrders: boolean;
}

export interface Abandoned {
  /** Queues what processes that have ended left in the journal. @throws RelightError `journal.unavailable` */
  resume(): Promise<void>;
  /** Whether to begin a queued job: no if another process has. @throws RelightError `journal.unavailable` */
  isWanted(job: Job): Promise<boolean>;
}

/** Older orders are not carried out: whoever sent them does not expect it any more. Milliseconds. */
const ORDERS_LIVE = 60 * 60_000;

/** What other processes left: jobs that began and did not end, and orders whose jobs never began. */
export function abandonedWork({
  journal,
  clock,
  newId,
  configured,
  enqueue,
  findsOrders,
  keeps = millis(ORDERS_LIVE),
}: AbandonedSettings): Abandoned {
  const unfinished = new Map<string, UnfinishedJob>();
  const begunHere = new Set<string>();

  return {
    resume: async () => {
      for (const before of await unfinishedJobs(journal, configured)) {
        const { account, correlation = newId() } = before;
        const id = newId();
        unfinished.set(id, before);
        const reason = "a job did not finish";
        await enqueue({ account, id, correlation, reason, trigger: "resume", action: "remediate" });
      }
      // The journal may have forgotten that an older order was carried out.
      const since = epochMillis(clock.now() - Math.min(ORDERS_LIVE, keeps));
      for (const job of findsOrders ? await unstartedOrders(journal, since) : []) await enqueue(job);
    },
    isWanted: async (job) => {
      const before = unfinished.get(job.id);
      if (before !== undefined) return isUnfinished(journal, before);
      if (job.trigger !== "manual" || begunHere.has(job.id)) return true;
      begunHere.add(job.id);
      return !(await hasBegun(journal, job));
    },
  };
}
