import type { AccountId } from "../../domain/claims/account.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { pauseAfter, STREAK_ENDS } from "../../domain/watch/watch.ts";
import type { Context } from "../context/context.ts";

/** How many accounts are worked on at once because of events. */
const AT_ONCE = 4;
/** More accounts than this waiting are a matter for a sweep. */
const MOST_WAITING = 1_000;
/** Reasons kept of one job. */
const MOST_REASONS = 20;

export interface WatchQueueSettings extends Pick<Context, "clock" | "timing"> {
  /** Does the job on one account; `busy` if another process is at work on it. Must not throw. */
  readonly work: (account: AccountId, reason: string) => Promise<"done" | "busy">;
  /** Too many accounts wait: one sweep instead. */
  readonly onOverflow: () => void;
}

export interface WatchQueue {
  /** Asks for a job on the account once `settle` is over; one that waits already takes the reason with it. */
  ask(account: AccountId, reason: string, settle: Millis): void;
  /** Whether a job waits that will see whatever happened by now. */
  waits(account: AccountId): boolean;
  /** Starts nothing any more; returns when the jobs under way have ended. */
  stop(): Promise<void>;
}

interface Waiting {
  readonly reasons: Set<string>;
  /** One each: a signal that hundreds listen to is taken for a leak by Node. */
  readonly dropped: AbortController;
  /** Its time has come; it waits for a place. */
  due: boolean;
  readonly again: boolean;
}

/** Events of one account become one job; accounts take turns, and one that never rests waits longer and longer. */
export function watchQueue({ clock, timing, work, onOverflow }: WatchQueueSettings): WatchQueue {
  const waiting = new Map<AccountId, Waiting>();
  const running = new Map<AccountId, Promise<void>>();
  const streaks = new Map<AccountId, { readonly count: number; readonly at: Millis }>();
  let stopped = false;

  /** How long the account is still left alone since its last job ended; milliseconds. */
  function pauseOf(account: AccountId): number {
    const now = clock.monotonic();
    for (const [other, { at }] of streaks) if (now - at > STREAK_ENDS) streaks.delete(other);
    const { count, at } = streaks.get(account) ?? { count: 0, at: now };
    return at + pauseAfter(count, timing.watch) - now;
  }

  function ask(account: AccountId, reason: string, settle: Millis): void {
    const entry = waiting.get(account);
    if (stopped) return;
    if (entry !== undefined) remember(entry, reason);
    else if (waiting.size >= MOST_WAITING) onOverflow();
    else put(account, newEntry(new Set([reason]), false), settle);
  }

  function put(account: AccountId, entry: Waiting, settle: number): void {
    waiting.set(account, entry);
    // The end of the job under way is when its time is set.
    if (!running.has(account)) void arm(entry, Math.max(settle, pauseOf(account)));
  }

  async function arm(entry: Waiting, wait: number): Promise<void> {
    await clock.sleep(millis(wait), entry.dropped.signal);
    entry.due = true;
    startAll();
  }

  function startAll(): void {
    if (stopped) return;
    for (const [account, entry] of waiting) {
      if (running.size >= AT_ONCE) return;
      if (entry.due && !running.has(account)) start(account, entry);
    }
  }

  function start(account: AccountId, { reasons, again }: Waiting): void {
    waiting.delete(account);
    running.set(account, run(account, reasons, again));
  }

  async function run(account: AccountId, reasons: Waiting["reasons"], again: boolean): Promise<void> {
    const end = await work(account, summary([...reasons]));
    running.delete(account);
    if (stopped) return;
    const next = waiting.get(account);
    streaks.set(account, { count: (streaks.get(account)?.count ?? 0) + 1, at: clock.monotonic() });
    if (next !== undefined) void arm(next, pauseOf(account));
    else if (end === "busy" && !again) put(account, newEntry(reasons, true), timing.watch.busyAgain);
    startAll();
  }

  return {
    ask,
    waits: (account) => waiting.has(account),
    stop: async () => {
      stopped = true;
      for (const { dropped } of waiting.values()) dropped.abort();
      await Promise.all(running.values());
    },
  };
}

const newEntry = (reasons: Waiting["reasons"], again: boolean): Waiting => ({
  reasons,
  dropped: new AbortController(),
  due: false,
  again,
});

function remember({ reasons }: Waiting, reason: string): void {
  if (reasons.size < MOST_REASONS) reasons.add(reason);
}

/** The first few reasons; a stream's hundred consumers are not named one by one. */
function summary(reasons: readonly string[]): string {
  const more = reasons.length > 3 ? ` and ${reasons.length - 3} more` : "";
  return `${reasons.slice(0, 3).join("; ")}${more}`;
}
