import type { AccountId } from "../../domain/claims/account.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import type { Journal } from "../../ports/journal.ts";

export interface CorrelationQuery {
  /** Without it every account's beginnings are read, which is a scan of a table in DynamoDB. */
  readonly account?: AccountId;
  readonly correlation: string;
  /** At most this many entries, the newest. */
  readonly limit: number;
}

const TIED = ["job.started", "rotation.started", "incident.opened", "incident.resolved"] as const;

/** All that one trigger led to, oldest first: the jobs that carried its id, whole, and its pages. */
export async function entriesByCorrelation(
  journal: Journal,
  { correlation, limit, ...of }: CorrelationQuery,
): Promise<readonly JournalEntry[]> {
  const tied = (await journal.read({ ...of, kinds: TIED })).filter(
    ({ data }) => data["correlation"] === correlation,
  );
  const jobs = new Set(tied.map(({ job }) => job));
  const entries: JournalEntry[] = [];
  for (const job of jobs) entries.push(...(await journal.read({ ...of, job })));
  // Times of one account never go back; the sort is stable, so its order holds.
  return entries.sort((a, b) => a.at - b.at).slice(-limit);
}
