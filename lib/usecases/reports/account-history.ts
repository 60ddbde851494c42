import type { AccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import { type OpenIncident, openIncidentsOf } from "../../domain/incidents/open-incidents.ts";
import { EVEN_UNPROVED, type JournalEntry, lastClaims } from "../../domain/journal/journal.ts";
import type { LastJob } from "../../domain/journal/last-job.ts";
import { stepsOf, type TimelineItem, type TimelineStep, timelineOf } from "../../domain/journal/timeline.ts";
import { lastSight, type SeenStream } from "../../domain/observation/streams-seen.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { type EpochMillis, type Millis, millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Journal } from "../../ports/journal.ts";

/** What the journal knows about an account. */
export interface AccountHistory {
  /** The newest job; absent if there was none. */
  readonly newest?: LastJob;
  /** The last verdict, with its evidence; absent if there is none. */
  readonly verdict?: { readonly at: EpochMillis; readonly data: JsonObject };
  /** The last claims in force; absent if none were seen. */
  readonly claims?: AccountClaims;
  /** The streams when the account was last healthy. */
  readonly streams: readonly SeenStream[];
  /** The incidents that a person was or is to be paged about. */
  readonly incidents: readonly OpenIncident[];
  readonly timeline: readonly TimelineItem[];
  /** Whether there are older entries. */
  readonly isCut: boolean;
}

/** The most incidents to search for open ones. */
const MOST_INCIDENTS = 500;

const readNewest = async (journal: Pick<Journal, "read">, account: AccountId, kind: JournalEntry["kind"]) =>
  journal.read({ account, kinds: [kind], limit: 1 });

/**
 * Reads an account's newest entries.
 * @param limit how many of them the timeline is made of
 * @throws RelightError `journal.unavailable`
 */
export async function readHistory(
  journal: Pick<Journal, "read" | "latest">,
  account: AccountId,
  limit: number,
): Promise<AccountHistory> {
  const [entries, claims, sights, incidents, latest] = await Promise.all([
    journal.read({ account, limit }),
    readNewest(journal, account, "claims.seen"),
    readNewest(journal, account, "streams.seen"),
    openIncidentsIn(journal, account),
    journal.latest([account]),
  ]);
  const recent = entries.findLast(({ kind }) => kind === "verdict");
  const verdict = recent ?? (await readNewest(journal, account, "verdict")).at(-1);
  return {
    ...defined({ newest: latest.get(account), verdict, claims: lastClaims(claims, EVEN_UNPROVED)?.claims }),
    streams: lastSight(sights)?.streams ?? [],
    incidents,
    timeline: timelineOf(entries),
    isCut: entries.length === limit,
  };
}

/** The open incidents of an account, or of the whole cluster (`-`). @throws RelightError `journal.unavailable` */
export async function openIncidentsIn(
  journal: Pick<Journal, "read">,
  account: AccountId | "-",
): Promise<readonly OpenIncident[]> {
  const kinds = ["incident.opened", "incident.resolved"] as const;
  return openIncidentsOf(await journal.read({ account, kinds, limit: MOST_INCIDENTS }));
}

/** How far an order has come. */
export interface Progress {
  readonly state: "requested" | "running" | "finished";
  /** The order: what, by whom and why. Absent for jobs that nobody ordered. */
  readonly order?: { readonly action: string; readonly actor: string; readonly reason: string };
  readonly requestedAt?: EpochMillis;
  readonly startedAt?: EpochMillis;
  readonly finishedAt?: EpochMillis;
  readonly outcome?: string;
  readonly steps: readonly TimelineStep[];
  /** The last verdict of the job. */
  readonly verdict?: JsonObject;
}

/** An order is among the newest entries; a page about an old one may be kept open or be a bookmark. */
const RECENT = [50, 5_000];
const ORDERED = ["job.requested", "job.started", "job.finished"] as const;

/** @throws RelightError `request.unknown` if the account has no such order, `journal.unavailable` */
export async function readProgress(
  journal: Pick<Journal, "read">,
  account: AccountId,
  correlation: string,
): Promise<Progress> {
  const own = await ownEntries(journal, account, correlation);
  const jobs = [...new Set(own.filter(({ kind }) => kind === "job.started").map(({ job }) => job))];
  const requested = own.find(({ kind }) => kind === "job.requested");
  const entries: JournalEntry[] = requested === undefined ? [] : [requested];
  for (const job of jobs) entries.push(...(await journal.read({ account, job })));
  const started = entries.find(({ kind }) => kind === "job.started");
  const finished = entries.findLast(({ kind }) => kind === "job.finished");
  return {
    state: finished !== undefined ? "finished" : started !== undefined ? "running" : "requested",
    steps: stepsOf(entries),
    ...defined({
      order: requested && orderIn(requested),
      requestedAt: requested?.at,
      startedAt: started?.at,
      finishedAt: finished?.at,
      outcome: finished && String(finished.data["outcome"]),
      verdict: entries.findLast(({ kind }) => kind === "verdict")?.data,
    }),
  };
}

async function ownEntries(
  journal: Pick<Journal, "read">,
  account: AccountId,
  correlation: string,
): Promise<readonly JournalEntry[]> {
  for (const limit of RECENT) {
    const entries = await journal.read({ account, kinds: ORDERED, limit });
    const own = entries.filter(({ data }) => data["correlation"] === correlation);
    if (own.length > 0) return own;
  }
  throw new RelightError("request.unknown", `the journal has no order ${correlation} for account ${account}`);
}

function orderIn({ data }: JournalEntry) {
  const { action, actor, reason } = data;
  return { action: String(action), actor: String(actor), reason: String(reason) };
}

/** How long the order has taken, or took. */
export const elapsedOf = ({ requestedAt, startedAt, finishedAt }: Progress, now: EpochMillis): Millis =>
  millis(Math.max(0, (finishedAt ?? now) - (requestedAt ?? startedAt ?? now)));
