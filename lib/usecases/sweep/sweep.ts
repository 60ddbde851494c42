import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import { measuresOfSweep } from "../../domain/metrics/measures.ts";
import { type Due, type DueReason, describeDue, isImminent, isRoutine, isUnknown } from "../../domain/sweep/due.ts";
import { type Backlog, backlog } from "../../domain/time/backlog.ts";
import type { EpochMillis, Millis } from "../../domain/time/time.ts";
import { asRelightError, type RelightError } from "../../errors.ts";
import type { Job } from "../../ports/jobs.ts";
import type { ListedJwt } from "../../ports/resolver.ts";
import type { Context } from "../context/context.ts";
import { loadedAccounts, sourceEntries } from "../observe/inventory.ts";
import type { SweepContext, SweepOrder, SweepSettings } from "./sweep-judge.ts";
import { type Judged, judge, type Met, newTally, type Tally } from "./sweep-judge.ts";

export type { SweepContext, SweepOrder, SweepSettings } from "./sweep-judge.ts";

export interface Sweep {
  /** The id of everything that the sweep led to; the correlation of its jobs. */
  readonly id: string;
  /** The number of accounts. */
  readonly seen: number;
  readonly queued: number;
  /** The queued accounts by reason. */
  readonly queuedBy: Readonly<Partial<Record<DueReason, number>>>;
  /** The number of due accounts left for a later sweep because the queue is full. */
  readonly postponed: number;
  /**
   * The first unreadable entries of the resolver and the source of truth, and servers that did not list their accounts, with
   * their problems.
   */
  readonly unreadable: readonly { readonly account: string; readonly problem: string }[];
  /** The number of accounts past the page threshold of their policy. */
  readonly pastPage: number;
  /** Age of the oldest verification. Accounts that were never verified do not count. */
  readonly oldestUnverified?: Millis;
  /** The soonest expiry of all accounts; may be in the past. */
  readonly soonestExpiry?: EpochMillis;
  /** The accounts that expire within a day, for whoever runs long enough to see it. */
  readonly expiring: readonly { readonly account: AccountId; readonly at: EpochMillis }[];
  /** The approximate number of waiting jobs before this sweep. */
  readonly waiting: number;
}

/** Accounts judged together: the maximum of one BatchGetItem. Only these and a backlog are in memory. */
export const CHUNK = 100;
/** Imminent accounts queued per sweep even if the queue is full, because a full queue must not let an account expire. */
export const IMMINENT_PLACES = 100;
/** The share of the room that is reserved for routine accounts, so none is forgotten. */
const ROUTINE_SHARE = 0.25;
/** The maximum number of unreadable entries in the result; the log has all. */
const MOST_UNREADABLE = 100;

/**
 * Queues a job for each due account (docs/decisions/0013), from the resolver's list, the configuration and the source of
 * truth, because a full resolver deletes expired JWTs, and these accounts need a check most. Streams the accounts, and
 * keeps only their ids (about 100 bytes each) to avoid duplicates.
 */
export async function sweep(context: SweepContext, order: SweepOrder): Promise<Sweep> {
  const id = context.newId();
  const waiting = await context.jobs.waiting();
  const room = roomOf(context.settings, order, waiting);
  const run: Run = {
    id,
    order,
    room,
    tally: newTally(),
    queuedBy: {},
    queued: 0,
    imminent: 0,
    unreadable: [],
    list: { isWhole: true },
  };
  const backlogs = { urgent: newBacklog(room), routine: newBacklog(room) };
  for await (const chunk of chunksOf(accountsOf(context, run))) {
    const urgent: Judged[] = [];
    for (const judged of await judge(context, order.which, chunk, run.tally)) {
      if (!isRoutine(judged.due) && takesPlace(run, judged.due)) urgent.push(judged);
      else (isRoutine(judged.due) ? backlogs.routine : backlogs.urgent).put(judged);
    }
    await enqueue(context, run, urgent);
  }
  const postponed = await enqueueBacklogs(context, run, backlogs);
  if (run.list.incompleteBecause !== undefined) throw run.list.incompleteBecause;
  const { unreadable, queued, queuedBy } = run;
  const { states, expiring, ...tally } = run.tally;
  const { trigger, which } = order;
  context.log.info("a sweep ended", {
    correlation: id,
    trigger,
    which,
    ...tally,
    queued,
    postponed,
    waiting,
  });
  context.metrics.live?.accounts(states, "all");
  context.metrics.emit(measuresOfSweep({ ...tally, queued, postponed }, context.clock.now()));
  return { id, ...tally, expiring, queued, queuedBy, postponed, unreadable, waiting };
}

/** The state of a running sweep. */
interface Run {
  readonly id: string;
  readonly order: SweepOrder;
  /** How many jobs may still be queued. */
  readonly room: number;
  readonly tally: Tally;
  readonly queuedBy: Partial<Record<DueReason, number>>;
  queued: number;
  imminent: number;
  readonly unreadable: { account: string; problem: string }[];
  readonly list: Listing;
}

function roomOf({ atMostWaiting }: SweepSettings, { which }: SweepOrder, waiting: number): number {
  return which === "everything" ? Number.POSITIVE_INFINITY : Math.max(0, atMostWaiting - waiting);
}

/** Most urgent first: imminent accounts, then unknown ones, then the oldest verification. */
const byUrgency = (one: Judged, other: Judged): number =>
  Number(isImminent(other.due)) - Number(isImminent(one.due)) ||
  Number(isUnknown(other.due)) - Number(isUnknown(one.due)) ||
  one.verifiedAt - other.verifiedAt;

const newBacklog = (room: number): Backlog<Judged> => backlog(Number.isFinite(room) ? room : 0, byUrgency);

/** Whether to queue an urgent account at once; counts it. */
function takesPlace(run: Run, due: Due): boolean {
  const hasReserve = isImminent(due) && run.imminent < IMMINENT_PLACES;
  if (run.queued >= run.room * (1 - ROUTINE_SHARE) && !hasReserve) return false;
  run.queued += 1;
  if (isImminent(due)) run.imminent += 1;
  return true;
}

/** Fills the remaining room: first the routine accounts' share, then urgent ones, then more routine ones. */
async function enqueueBacklogs(
  context: SweepContext,
  run: Run,
  { urgent, routine }: { readonly urgent: Backlog<Judged>; readonly routine: Backlog<Judged> },
): Promise<number> {
  if (!Number.isFinite(run.room)) return 0;
  const [pressing, usual] = [urgent.take(), routine.take()];
  const left = Math.max(0, run.room - run.queued);
  const share = Math.min(usual.first.length, Math.ceil(run.room * ROUTINE_SHARE), left);
  const more = Math.min(pressing.first.length, left - share);
  const chosen = [...pressing.first.slice(0, more), ...usual.first.slice(0, left - more)];
  run.queued += chosen.length;
  for (let from = 0; from < chosen.length; from += CHUNK) await enqueue(context, run, chosen.slice(from, from + CHUNK));
  const due = pressing.first.length + pressing.others + usual.first.length + usual.others;
  return due - chosen.length;
}

async function enqueue({ jobs }: SweepContext, run: Run, judged: readonly Judged[]): Promise<void> {
  if (judged.length === 0) return;
  for (const { due } of judged) run.queuedBy[due.why] = (run.queuedBy[due.why] ?? 0) + 1;
  await jobs.enqueueAll(judged.map((one) => jobOf(run, one)));
}

function jobOf({ id, order: { trigger, reason } }: Run, { account, due }: Judged): Job {
  const why = due.why === "everything" ? reason : `${reason}: ${describeDue(due)}`;
  return { account, trigger, reason: why, action: "remediate", correlation: id, id: `${id}/${account}` };
}

/** Each account once. Those in the resolver's list come first, because only the list has claims in force. */
async function* accountsOf(context: SweepContext, run: Run): AsyncIterable<Met> {
  const seen = new Set<AccountId>();
  const isNew = (account: AccountId): boolean => seen.size < seen.add(account).size;
  const { list } = run;
  for await (const entry of listed(context, list)) {
    if (entry.ok) {
      context.onListed?.(entry.jwt);
      const { claims } = entry.jwt.document;
      if (isNew(claims.sub)) yield { account: claims.sub, listed: { state: "listed", claims } };
      continue;
    }
    noteUnreadable(run, entry);
    if (entry.of === "server") {
      list.isWhole = false;
      context.log.warn("a server did not list its accounts", entry);
      continue;
    }
    context.log.warn("the resolver holds something that is not an account JWT", entry);
    if (isAccountId(entry.account) && isNew(entry.account))
      yield { account: entry.account, listed: { state: "unreadable" } };
  }
  const unlisted = { state: list.isWhole ? "absent" : "unknown" } as const;
  for (const account of context.configured) if (isNew(account)) yield { account, listed: unlisted };
  for await (const entry of sourceEntries(context)) {
    if (!entry.ok) noteUnreadable(run, { account: entry.place, problem: entry.problem });
    else if (isNew(entry.jwt.document.claims.sub)) yield { account: entry.jwt.document.claims.sub, listed: unlisted };
  }
  // An account that only the journal knows needs a check: it expired, or somebody deleted it.
  for await (const { account, forgotten } of context.journal.accounts())
    if (isNew(account) && !forgotten) yield { account, listed: unlisted };
  for (const account of await loadedAccounts(context)) if (isNew(account)) yield { account, listed: unlisted };
}

function noteUnreadable({ unreadable }: Run, { account, problem }: { account: string; problem: string }): void {
  if (unreadable.length < MOST_UNREADABLE) unreadable.push({ account, problem });
}

async function* chunksOf<T>(all: AsyncIterable<T>): AsyncIterable<readonly T[]> {
  let chunk: T[] = [];
  for await (const one of all) {
    chunk.push(one);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** How the resolver's list ended. */
interface Listing {
  isWhole: boolean;
  /** Why it is incomplete. The sweep queues what it knows, and then fails. */
  incompleteBecause?: RelightError;
}

/**
 * The resolver's list. Without a NATS-based resolver it is empty. If it is incomplete, configured accounts are still swept,
 * because one of them may expire meanwhile.
 */
async function* listed({ resolver, log }: Context, list: Listing): AsyncIterable<ListedJwt> {
  try {
    yield* resolver.list();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code === "internal") throw thrown;
    list.isWhole = false;
    if (error.code !== "nats.no_resolver") list.incompleteBecause = error;
    log.warn("the resolver can't be listed; only configured accounts are swept", { error: error.toJSON() });
  }
}
