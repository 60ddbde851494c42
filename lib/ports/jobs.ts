import type { AccountId } from "../domain/claims/account.ts";
import type { HarmLeave } from "../domain/gate/gate-harm.ts";

/** What started a job. */
export type Trigger = "schedule" | "webhook" | "manual" | "event" | "resume";

/** Work on one account. A trigger says only which account and why. */
export interface Job {
  readonly account: AccountId;
  readonly trigger: Trigger;
  readonly reason: string;
  /**
   * `remediate`: whatever it needs, a due renewal included. `heal`: revive it, renew it only if it expired.
   * `renew`: renew now, whatever the window says. `push`: push `token`. `verify`: only look.
   */
  readonly action: "remediate" | "heal" | "renew" | "push" | "verify";
  /** A JWT delivered for `push`; it passes the gate like any other. */
  readonly token?: string;
  /** A person saw how `token` differs from the JWT in force with this id, and accepted it: no queue carries it. */
  readonly acceptedOver?: string;
  /** Harm that the person ordered, knowing it; no queue carries it either. */
  readonly allowed?: readonly HarmLeave[];
  /** A person wants the account back although somebody deleted it; as above, no queue carries it. */
  readonly undelete?: true;
  /** Ties together all that one trigger led to, from its log lines to the page. */
  readonly correlation?: string;
  /** Jobs of one id are one job: what a queue deduplicates by. */
  readonly id: string;
}

/** A job that is run at once: only a queue needs the id. */
export type NewJob = Omit<Job, "id"> & Partial<Pick<Job, "id">>;

/** Where jobs are queued: first in, first out per account. */
export interface Jobs {
  /**
   * Queues a job once. An id that was queued lately may be dropped as a repetition (SQS remembers for five
   * minutes, even what is done), so a new order needs a new id.
   * @throws RelightError `queue.unavailable`
   */
  enqueue(job: Job): Promise<void>;
  /**
   * The same for many, in their order per account.
   * @throws RelightError `queue.unavailable`, whose `details.notTaken` says how many were not taken.
   */
  enqueueAll(jobs: readonly Job[]): Promise<void>;
  /** About how many jobs wait and are not being done. @throws RelightError `queue.unavailable` */
  waiting(): Promise<number>;
  /** Waits until jobs that run in this very process are done; nothing to wait for with a remote queue. */
  drain(): Promise<void>;
}
