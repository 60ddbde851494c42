import type { Json } from "../../domain/time/json.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import type { Job } from "../../ports/jobs.ts";
import type { Journal } from "../../ports/journal.ts";
import { orderedJob } from "./console.ts";

/** How many of the newest orders and jobs to search. */
const MOST_SEARCHED = 1_000;
/** How many of an account's newest jobs to search for an order's. */
const LATEST_JOBS = 100;

/**
 * Orders since then whose jobs never began, because the process that had queued them ended. Oldest first. It reads all
 * accounts' entries, which takes long in DynamoDB. @throws RelightError `journal.unavailable`
 */
export async function unstartedOrders(journal: Pick<Journal, "read">, since: EpochMillis): Promise<readonly Job[]> {
  const entries = await journal.read({ kinds: ["job.requested", "job.started"], limit: MOST_SEARCHED });
  const begun = new Set<Json | undefined>(
    entries.flatMap(({ kind, data }) => (kind === "job.started" ? [data["correlation"]] : [])),
  );
  return entries.flatMap((entry): readonly Job[] => {
    if (entry.kind !== "job.requested" || entry.at < since || begun.has(entry.data["correlation"])) return [];
    const job = orderedJob(entry);
    return job === undefined ? [] : [job];
  });
}

/** Whether a job of the order has begun, in any process. @throws RelightError `journal.unavailable` */
export async function hasBegun(journal: Pick<Journal, "read">, { account, id }: Job): Promise<boolean> {
  const jobs = await journal.read({ account, kinds: ["job.started"], limit: LATEST_JOBS });
  return jobs.some(({ data }) => data["correlation"] === id);
}
