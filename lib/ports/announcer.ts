import type { AccountId } from "../domain/claims/account.ts";
import type { Health } from "../domain/verdict/verdict.ts";
import type { Job, Trigger } from "./jobs.ts";

/** The result of a job that changed or refused something. */
export interface JobNotice {
  readonly account: AccountId;
  readonly outcome: string;
  readonly action: Job["action"];
  readonly trigger: Trigger;
  readonly correlation?: string;
  /** The last verdict; absent if the job failed before it had one. */
  readonly verdict?: Health;
  /** The error code, if the job failed. */
  readonly error?: string;
}

/** Reports finished jobs to programs, in contrast to pages for people. */
export interface Announcer {
  /** @throws RelightError `events.unavailable` */
  jobFinished(notice: JobNotice): Promise<void>;
}
