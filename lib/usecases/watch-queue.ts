import type { AccountId } from "../domain/account.ts";
import { type EpochMillis, type Millis, millis } from "../domain/time.ts";
import { pauseAfter, STREAK_ENDS } from "../domain/watch.ts";
import type { Clock } from "../ports.ts";

/** How many accounts are worked on at once because of events. */
const AT_ONCE = 4;
/** More accounts than this waiting are a matter for a sweep. */
const MOST_WAITING = 1_000;
/** When to try again what another process was at work on; once. */
const TRY_AGAIN = millis(10_000);

export interface WatchQueueSettings {
  readonly clock: Clock;
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
  readonly timer: NodeJS.Timeout;
  /** Its time has come; it waits for a place. */
  due: boolean;
  readonly again: boolean;
}

/** Events of one account become one job; accounts take turns, and one that never rests waits longer and longer. */
export function watchQueue({ clock, work, onOverflow }: WatchQueueSettings): WatchQueue {
  const waiting = new Map<AccountId, Waiting>();
  const running = new Map<AccountId, Promise<void>>();
  const streaks = new Map<AccountId, { readonly count: number; readonly at: EpochMillis }>();
  let stopped = false;

  function streakOf(account: AccountId): number {
    for (const [other, { at }] of streaks) if (clock.now() - at > STREAK_ENDS) streaks.delete(other);
    return streaks.get(account)?.count ?? 0;
  }

  function put(account: AccountId, reasons: readonly string[], wait: number, again: boolean): void {
    if (stopped) return;
    const timer = setTimeout(() => {
      const entry = waiting.get(account);
      if (entry !== undefined) entry.due = true;
      startAll();
    }, wait);
    waiting.set(account, { reasons: new Set(reasons), timer, due: false, again });
  }

  function ask(account: AccountId, reason: string, settle: Millis): void {
    const entry = waiting.get(account);
    if (entry !== undefined) entry.reasons.add(reason);
    else if (waiting.size >= MOST_WAITING) onOverflow();
    else put(account, [reason], Math.max(settle, pauseAfter(streakOf(account))), false);
  }

  function startAll(): void {
    for (const [account, entry] of waiting) {
      if (running.size >= AT_ONCE) return;
      if (entry.due && !running.has(account)) start(account, entry);
    }
  }

  function start(account: AccountId, { reasons, again }: Waiting): void {
    waiting.delete(account);
    running.set(account, run(account, [...reasons], again));
  }

  async function run(account: AccountId, reasons: readonly string[], again: boolean): Promise<void> {
    const end = await work(account, summary(reasons));
    running.delete(account);
    streaks.set(account, { count: streakOf(account) + 1, at: clock.now() });
    if (end === "busy" && !again && !waiting.has(account)) put(account, reasons, TRY_AGAIN, true);
    if (!stopped) startAll();
  }

  return {
    ask,
    waits: (account) => waiting.has(account),
    stop: async () => {
      stopped = true;
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
      await Promise.all(running.values());
    },
  };
}

/** The first few reasons; a stream's hundred consumers are not named one by one. */
function summary(reasons: readonly string[]): string {
  const more = reasons.length > 3 ? ` and ${reasons.length - 3} more` : "";
  return `${reasons.slice(0, 3).join("; ")}${more}`;
}
