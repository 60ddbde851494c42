import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import { measuresOfSweep } from "../../domain/metrics/measures.ts";
import {
  type Due,
  type DueReason,
  describeDue,
  isImminent,
  isRoutine,
  isUnknown,
} from "../../domain/sweep/due.ts";
import { type Backlog, backlog } from "../../domain/time/backlog.ts";
import type { EpochMillis, Millis } from "../../domain/time/time.ts";
import { asRelightError, type RelightError } from "../../errors.ts";
import type { Job } from "../../ports/jobs.ts";
import type { ListedJwt } from "../../ports/resolver.ts";
import type { Context } from "../context/context.ts";
import { loadedAccounts, sourced } from "../observe/inventory.ts";
import type { SweepContext, SweepOrder, SweepSettings } from "./sweep-judge.ts";
import { type Judged, judge, type Met, newTally, type Tally } from "./sweep-judge.ts";

export type { SweepContext, SweepOrder, SweepSettings } from "./sweep-judge.ts";

export interface Sweep {
  /** Ties together what the sweep led to: its jobs carry it as their correlation. */
  readonly id: string;
  /** How many accounts were met. */
  readonly seen: number;
  readonly queued: number;
  /** The same by why they were due. */
  readonly queuedBy: Readonly<Partial<Record<DueReason, number>>>;
  /** How many are due and wait for a later sweep, since the queue has no room. */
  readonly postponed: number;
  /** The first entries of the resolver and of the source of truth that could not be read, with what is wrong. */
  readonly unreadable: readonly { readonly account: string; readonly problem: string }[];
  /** How many accounts are past the page threshold of their policy. */
  readonly pastPage: number;
  /** For how long the account has not been verified that waits longest, of those that ever were. */
  readonly oldestUnverified?: Millis;
  /** When the first of the accounts' claims expire, which may be over. */
  readonly soonestExpiry?: EpochMillis;
  /** About how many jobs waited before this sweep. */
  readonly waiting: number;
}

/** So many accounts are judged together: what one BatchGetItem takes. No more are held than that and a backlog. */
export const CHUNK = 100;
/** Places for imminent accounts in each sweep, however full the queue is: a full queue must not let one expire. */
export const IMMINENT_PLACES = 100;
/** A share of the room that urgent accounts leave to routine ones, so that none is forgotten. */
const ROUTINE_SHARE = 0.25;
/** Unreadable entries that are reported one by one; the log has them all. */
const MOST_UNREADABLE = 100;

/**
 * Queues a job for each account that is due (docs/decisions/0013): those that the resolver lists, and those that are
 * configured or in the source of truth, since a full resolver deletes an expired account's JWT and an account missing
 * there is the very one to look at. Accounts stream through; of each only its id is kept, about 100 bytes, so that
 * none is met twice.
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
  if (run.list.brokenOff !== undefined) throw run.list.brokenOff;
  const { id: _id, unreadable, queued, queuedBy, tally } = run;
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
  context.metrics.emit(measuresOfSweep({ ...tally, queued, postponed }, context.clock.now()));
  return { id, ...tally, queued, queuedBy, postponed, unreadable, waiting };
}

/** What a sweep has come to so far. */
interface Run {
  readonly id: string;
  readonly order: SweepOrder;
  /** How many jobs may still be queued in all. */
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

/** Most urgent first: what is imminent, then what is unknown, then whoever was not verified for longest. */
const byUrgency = (one: Judged, other: Judged): number =>
  Number(isImminent(other.due)) - Number(isImminent(one.due)) ||
  Number(isUnknown(other.due)) - Number(isUnknown(one.due)) ||
  one.verifiedAt - other.verifiedAt;

const newBacklog = (room: number): Backlog<Judged> => backlog(Number.isFinite(room) ? room : 0, byUrgency);

/** Whether an urgent account is queued at once; it then counts. */
function takesPlace(run: Run, due: Due): boolean {
  const hasReserve = isImminent(due) && run.imminent < IMMINENT_PLACES;
  if (run.queued >= run.room * (1 - ROUTINE_SHARE) && !hasReserve) return false;
  run.queued += 1;
  if (isImminent(due)) run.imminent += 1;
  return true;
}

/** Fills what room is left: the routine accounts' share, then urgent ones, then further routine ones. */
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
  for (let from = 0; from < chosen.length; from += CHUNK)
    await enqueue(context, run, chosen.slice(from, from + CHUNK));
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

/** Each account once. What the resolver lists comes first, since only its claims are those in force. */
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
    context.log.warn("the resolver holds what is not an account JWT", entry);
    if (isAccountId(entry.account) && isNew(entry.account))
      yield { account: entry.account, listed: { state: "unreadable" } };
  }
  const unlisted = { state: list.isWhole ? "absent" : "unknown" } as const;
  for (const account of context.configured) if (isNew(account)) yield { account, listed: unlisted };
  for await (const entry of sourced(context)) {
    if (!entry.ok) noteUnreadable(run, { account: entry.place, problem: entry.problem });
    else if (isNew(entry.jwt.document.claims.sub))
      yield { account: entry.jwt.document.claims.sub, listed: unlisted };
  }
  // Who was there once and is gone from all of these is the one to look at: it expired, or somebody deleted it.
  for await (const { account, forgotten } of context.journal.accounts())
    if (isNew(account) && !forgotten) yield { account, listed: unlisted };
  for (const account of await loadedAccounts(context))
    if (isNew(account)) yield { account, listed: unlisted };
}

function noteUnreadable(
  { unreadable }: Run,
  { account, problem }: { account: string; problem: string },
): void {
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
  /** Why it broke off: the sweep fails, once it has queued what it knows all the same. */
  brokenOff?: RelightError;
}

/**
 * Without a NATS-based resolver there is nothing to list, and the configured accounts are all there is. They are swept
 * too where the list breaks off: one of them may expire while nobody answers.
 */
async function* listed({ resolver, log }: Context, list: Listing): AsyncIterable<ListedJwt> {
  try {
    yield* resolver.list();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.code === "internal") throw thrown;
    list.isWhole = false;
    if (error.code !== "nats.no_resolver") list.brokenOff = error;
    log.warn("the resolver can't be listed; only configured accounts are swept", { error: error.toJSON() });
  }
}
