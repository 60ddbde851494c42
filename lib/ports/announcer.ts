import type { AccountId } from "../domain/claims/account.ts";
import type { Health } from "../domain/verdict/verdict.ts";
import type { Job, Trigger } from "./jobs.ts";

/** What came of a job that changed or refused something. */
export interface JobNotice {
  readonly account: AccountId;
  readonly outcome: string;
  readonly action: Job["action"];
  readonly trigger: Trigger;
  readonly correlation?: string;
  /** The class of the last verdict; absent where the job failed before there was one. */
  readonly verdict?: Health;
  /** The error's code, of one that failed. */
  readonly error?: string;
}

/** Tells programs, not people, what was done. */
export interface Announcer {
  /** @throws RelightError `events.unavailable` */
  jobFinished(notice: JobNotice): Promise<void>;
}
