import type { AccountId } from "../../domain/claims/account.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal } from "../../ports/journal.ts";

export interface CorrelationQuery {
  /** Without it the beginnings of all accounts' jobs are read, which is a table scan in DynamoDB. */
  readonly account?: AccountId;
  readonly correlation: string;
  /** At most this many entries, the newest. */
  readonly limit: number;
}

const TIED = ["job.started", "rotation.started", "incident.opened", "incident.resolved"] as const;

/** Everything that one trigger led to, oldest first: all entries of its jobs, and its pages. */
export async function entriesByCorrelation(
  journal: Journal,
  { correlation, limit, ...of }: CorrelationQuery,
): Promise<readonly JournalEntry[]> {
  const tied = (await journal.read({ ...of, kinds: TIED })).filter(({ data }) => data["correlation"] === correlation);
  const jobs = new Set(tied.map(({ job }) => job));
  const entries: JournalEntry[] = [];
  for (const job of jobs) entries.push(...(await journal.read({ ...of, job })));
  // Times of one account never decrease, and the sort is stable, so its order is kept.
  return entries.sort((a, b) => a.at - b.at).slice(-limit);
}
