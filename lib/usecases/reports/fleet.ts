import type { AccountId } from "../../domain/claims/account.ts";
import { type RenewalStorm, stormsIn } from "../../domain/expiry/calendar.ts";
import type { LastJob } from "../../domain/journal/last-job.ts";
import { type EpochMillis, type Millis, millis } from "../../domain/time/time.ts";
import type { Health } from "../../domain/verdict/verdict.ts";
import type { Journal } from "../../ports/journal.ts";

export interface FleetDependencies {
  readonly journal: Pick<Journal, "accounts" | "latest">;
  readonly configured: readonly AccountId[];
  /** What the cluster has, with names as far as they are known. */
  readonly listed?: ReadonlyMap<AccountId, string>;
  /** The configured name; the id of an account without one. */
  readonly nameOf: (account: AccountId) => string;
  /** Lets other work run between two batches. */
  readonly breathe: () => Promise<void>;
}

export type FinishedJob = Extract<LastJob, { state: "finished" }>;

/** An account, as its last finished job left it. */
export interface FleetRow {
  readonly account: AccountId;
  /** Empty if nobody knows one. */
  readonly name: string;
  /** Absent if no job on the account has finished. */
  readonly last?: FinishedJob;
  /** Since when a job has been running; absent if none is. */
  readonly runningSince?: EpochMillis;
}

/** Every account that the configuration, the journal or the cluster knows, most urgent first. */
export interface Fleet {
  readonly at: EpochMillis;
  readonly rows: readonly FleetRow[];
  readonly storms: readonly RenewalStorm[];
}

/** How many accounts to read at once. */
const BATCH = 200;
/** After this time without a check a verdict is no longer known to hold. Longer than a day, for daily sweeps. */
const VERDICT_HOLDS = millis(26 * 3_600_000);
/** The default of `relight plan --storm`: more renewals within an hour are a storm. */
const STORM = 20;

/**
 * Reads the fleet. The cost grows with the number of accounts, so callers keep the result for a while.
 * @param before the last result: it knows how the last finished job ended while the next one runs
 * @throws RelightError `journal.unavailable`
 */
export async function takeFleet(deps: FleetDependencies, now: EpochMillis, before?: Fleet): Promise<Fleet> {
  const listed = deps.listed ?? new Map<AccountId, string>();
  const names = new Map<AccountId, string>(listed);
  for (const account of deps.configured) if (!names.has(account)) names.set(account, "");
  let read = 0;
  for await (const { account, name, forgotten } of deps.journal.accounts()) {
    if (!forgotten || names.has(account)) names.set(account, listed.get(account) || name);
    read += 1;
    if (read % BATCH === 0) await deps.breathe();
  }
  const known = new Map(before?.rows.map((row) => [row.account, row]));
  const ids = [...names.keys()];
  const rows: FleetRow[] = [];
  for (let from = 0; from < ids.length; from += BATCH) {
    const batch = ids.slice(from, from + BATCH);
    const latest = await deps.journal.latest(batch);
    for (const account of batch) {
      const configured = deps.nameOf(account);
      const name = configured === account ? (names.get(account) ?? "") : configured;
      rows.push(withJob({ ...known.get(account), account, name }, latest.get(account)));
    }
    await deps.breathe();
  }
  return { at: now, rows: byUrgency(rows, now), storms: stormsAhead(rows, now) };
}

/** The row after its newest job was read. */
export function withJob({ account, name, last }: FleetRow, job: LastJob | undefined): FleetRow {
  if (job?.state === "finished") return { account, name, last: job };
  const kept = last === undefined ? {} : { last };
  return { account, name, ...kept, ...(job === undefined ? {} : { runningSince: job.since }) };
}

/** What may be said about an account now. */
export interface Standing {
  readonly health: Health;
  /** Why it is unknown although a verdict was written; for people. */
  readonly why?: string;
}

/** An old verdict, and one from before the expiry, do not hold: unknown is never healthy. */
export function standingOf({ last }: FleetRow, now: EpochMillis): Standing {
  if (last === undefined) return { health: "unknown", why: "never checked" };
  const { verdict, at, expiresAt, outcome } = last;
  if (verdict === undefined) return { health: "unknown", why: `the last job ended without a verdict: ${outcome}` };
  if (verdict === "dead") return { health: verdict };
  if (expiresAt !== undefined && expiresAt <= now && at < expiresAt)
    return { health: "unknown", why: `it was ${verdict} at the last check, but its claims have expired since` };
  if (now - at > VERDICT_HOLDS)
    return { health: "unknown", why: `it was ${verdict} at the last check, which is too long ago` };
  return { health: verdict };
}

/** How near the expiry is, by the policy's thresholds at the last check. */
export function alarmOfRow({ last }: FleetRow, now: EpochMillis): "none" | "warn" | "page" {
  if (last?.pageAt !== undefined && now >= last.pageAt) return "page";
  return last?.warnAt !== undefined && now >= last.warnAt ? "warn" : "none";
}

const HEALTH_RANK: Readonly<Record<Health, number>> = { dead: 0, unknown: 1, degraded: 3, healthy: 5 };

function byUrgency(rows: readonly FleetRow[], now: EpochMillis): readonly FleetRow[] {
  const ranked = rows.map((row) => {
    const alarm = alarmOfRow(row, now);
    const near = alarm === "page" ? 2 : alarm === "warn" ? 4 : 5;
    const rank = row.last?.withdrawn ? 6 : Math.min(HEALTH_RANK[standingOf(row, now).health], near);
    return { row, rank, expiresAt: row.last?.expiresAt ?? Number.POSITIVE_INFINITY };
  });
  const text = ({ name, account }: FleetRow): string => name || account;
  ranked.sort(
    (one, other) =>
      one.rank - other.rank ||
      (one.expiresAt === other.expiresAt ? 0 : one.expiresAt - other.expiresAt) ||
      (text(one.row) < text(other.row) ? -1 : 1),
  );
  return ranked.map(({ row }) => row);
}

function stormsAhead(rows: readonly FleetRow[], now: EpochMillis): readonly RenewalStorm[] {
  const planned = rows.flatMap(({ account, last }) =>
    last?.renewAt === undefined || last.renewAt < now ? [] : [{ account, at: last.renewAt }],
  );
  return stormsIn(
    planned.sort((one, other) => one.at - other.at),
    STORM,
  );
}

/** Which accounts to show. */
export interface FleetFilter {
  readonly health?: Health | undefined;
  /** A part of a name, or the beginning of an id; in any case. */
  readonly search?: string;
}

export interface FleetPage {
  readonly rows: readonly FleetRow[];
  /** How many match. */
  readonly found: number;
  /** From 1. */
  readonly page: number;
  readonly pages: number;
}

/** A page of the matching accounts; the last one if there are fewer pages. */
export function fleetPage(
  { rows }: Fleet,
  { health, search = "" }: FleetFilter,
  { page, size, now }: { readonly page: number; readonly size: number; readonly now: EpochMillis },
): FleetPage {
  const text = search.trim().toLowerCase();
  const matches = ({ account, name }: FleetRow): boolean =>
    text === "" || name.toLowerCase().includes(text) || account.toLowerCase().startsWith(text);
  const found = rows.filter((row) => (health === undefined || standingOf(row, now).health === health) && matches(row));
  const pages = Math.max(1, Math.ceil(found.length / size));
  const shown = Math.min(Math.max(1, page), pages);
  return { rows: found.slice((shown - 1) * size, shown * size), found: found.length, page: shown, pages };
}

/** How many accounts have each verdict. */
export function countHealths({ rows }: Fleet, now: EpochMillis): Readonly<Record<Health, number>> {
  const counts: Record<Health, number> = { dead: 0, unknown: 0, degraded: 0, healthy: 0 };
  for (const row of rows) counts[standingOf(row, now).health] += 1;
  return counts;
}

/** How long since the last check of a row that ended with a verdict, be it unknown; undefined if there was none. */
export function ageOf({ last }: FleetRow, now: EpochMillis): Millis | undefined {
  const at = last?.verdict === undefined ? last?.verifiedAt : last.at;
  return at === undefined ? undefined : millis(Math.max(0, now - at));
}
