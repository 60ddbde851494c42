import type { AccountId } from "../domain/claims/account.ts";
import type { HarmLeave } from "../domain/gate/gate-harm.ts";

/** What started a job. */
export type Trigger = "schedule" | "webhook" | "manual" | "event" | "resume";

/** Work on one account. A trigger only names the account and a reason. */
export interface Job {
  readonly account: AccountId;
  readonly trigger: Trigger;
  readonly reason: string;
  /**
   * `remediate`: whatever is needed, including a due renewal. `heal`: revive it, renew it only if it expired.
   * `renew`: renew now, regardless of the window. `push`: push `token`. `verify`: only check.
   */
  readonly action: "remediate" | "heal" | "renew" | "push" | "verify";
  /** A JWT delivered for `push`; it passes the gate like any other. */
  readonly token?: string;
  /** The id of the JWT in force whose differences from `token` a person accepted. Never sent through a queue. */
  readonly acceptedOver?: string;
  /** Harm that a person allowed. Never sent through a queue. */
  readonly allowed?: readonly HarmLeave[];
  /** A person wants the account back although somebody deleted it. Never sent through a queue. */
  readonly undelete?: true;
  /** The id of the trigger, for everything it led to, from log lines to pages. */
  readonly correlation?: string;
  /** Queues deduplicate jobs by this id. */
  readonly id: string;
}

/** A job that is run at once: only a queue needs the id. */
export type NewJob = Omit<Job, "id"> & Partial<Pick<Job, "id">>;

/** Where jobs are queued: first in, first out per account. */
export interface Jobs {
  /**
   * Queues a job once. The queue may drop a recently used id as a duplicate (SQS does so for five minutes, even for finished
   * jobs), so a new order needs a new id.
   * @throws RelightError `queue.unavailable`
   */
  enqueue(job: Job): Promise<void>;
  /**
   * Queues many jobs, in order per account.
   * @throws RelightError `queue.unavailable`; `details.notTaken` is the number of jobs that were not queued.
   */
  enqueueAll(jobs: readonly Job[]): Promise<void>;
  /** The approximate number of waiting jobs, without running ones. @throws RelightError `queue.unavailable` */
  waiting(): Promise<number>;
  /** Waits for the jobs that run in this process; with a remote queue there are none. */
  drain(): Promise<void>;
}
