import type { AccountId } from "../../domain/claims/account.ts";
import { defined } from "../../domain/time/defined.ts";
import type { Journal } from "../../ports/journal.ts";

/** Accounts asked for together: the maximum of one BatchGetItem. */
const CHUNK = 100;

/** A job that began and did not end: it runs, or its process is gone. */
export interface UnfinishedJob {
  readonly account: AccountId;
  readonly job: string;
  /** The id of its trigger. */
  readonly correlation?: string;
}

/** The unfinished jobs on configured and journaled accounts. @throws RelightError `journal.unavailable` */
export async function unfinishedJobs(
  journal: Pick<Journal, "accounts" | "latest">,
  configured: readonly AccountId[],
): Promise<readonly UnfinishedJob[]> {
  const accounts = new Set(configured);
  for await (const { account } of journal.accounts()) accounts.add(account);
  const all = [...accounts];
  const found: UnfinishedJob[] = [];
  for (let from = 0; from < all.length; from += CHUNK)
    for (const [account, { state, job, correlation }] of await journal.latest(all.slice(from, from + CHUNK)))
      if (state === "running") found.push({ account, job, ...defined({ correlation }) });
  return found;
}

/** Whether the job is still the account's newest, and unfinished. @throws RelightError `journal.unavailable` */
export async function isUnfinished(
  journal: Pick<Journal, "latest">,
  { account, job }: UnfinishedJob,
): Promise<boolean> {
  const last = (await journal.latest([account])).get(account);
  return last?.state === "running" && last.job === job;
}
