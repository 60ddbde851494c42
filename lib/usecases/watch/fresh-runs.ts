import type { AccountId } from "../../domain/claims/account.ts";
import type { RelightError } from "../../errors.ts";
import type { Job, Trigger } from "../../ports/jobs.ts";
import type { Remediation } from "../remediate/remediation.ts";
import type { JobEnd, SweepEnd, Watching } from "./watch.ts";

/** The results of the jobs that ran in this process. */
export interface Ends {
  readonly results: readonly Remediation[];
  readonly failures: readonly { readonly account: AccountId; readonly error: RelightError }[];
}

/** Relight composed for one run. */
interface Run extends AsyncDisposable {
  order(job: Job): Promise<JobEnd>;
  sweep(trigger: Trigger, reason: string): Promise<Ends & Pick<SweepEnd, "queued" | "expiring">>;
}

/** Uses a new connection for each job and sweep, because a connection and its list of servers become outdated. */
export function onFreshRuns(open: () => Promise<Run>): Pick<Watching, "work" | "sweep"> {
  return {
    work: async (job) => {
      await using run = await open();
      return await run.order(job);
    },
    sweep: async (trigger, reason): Promise<SweepEnd> => {
      await using run = await open();
      const report = await run.sweep(trigger, reason);
      return { queued: report.queued, ends: endsOf(report), expiring: report.expiring };
    },
  };
}

/** The results of all accounts, or of some. */
export function endsOf({ results, failures }: Ends, of?: readonly AccountId[]): SweepEnd["ends"] {
  const done = results.map((result) => {
    return { account: result.account as AccountId, end: { state: "done", result } as const };
  });
  const failed = failures.map(({ account, error }) => ({
    account,
    end: { state: "failed", error } as const,
  }));
  return [...done, ...failed].filter(({ account }) => of === undefined || of.includes(account));
}
