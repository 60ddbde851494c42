import type { AccountId } from "../../domain/claims/account.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { pauseAfter, STREAK_ENDS } from "../../domain/watch/watch.ts";
import type { Context } from "../context/context.ts";

/** How many accounts to work on at once because of events. */
const AT_ONCE = 4;
/** If more accounts than this wait, one sweep replaces them. */
const MOST_WAITING = 1_000;
/** The maximum number of reasons kept per job. */
const MOST_REASONS = 20;

export interface WatchQueueSettings extends Pick<Context, "clock" | "timing"> {
  /** Runs the job on one account; `busy` if another process works on it. Must not throw. */
  readonly work: (account: AccountId, reason: string) => Promise<"done" | "busy">;
  /** Called if too many accounts wait: run one sweep instead. */
  readonly onOverflow: () => void;
}

export interface WatchQueue {
  /** Requests a job on the account after `settle`. A job that is already waiting gets the reason too. */
  ask(account: AccountId, reason: string, settle: Millis): void;
  /** Whether a job is waiting that will see everything that has happened so far. */
  waits(account: AccountId): boolean;
  /** Starts no more jobs; returns when the running ones have ended. */
  stop(): Promise<void>;
}

interface Waiting {
  readonly reasons: Set<string>;
  /** One each, because Node warns about a leak if hundreds listen to one signal. */
  readonly dropped: AbortController;
  /** Whether it is due and only waits for a slot. */
  due: boolean;
  readonly again: boolean;
}

/** Events of one account become one job. Accounts take turns, and one that keeps causing jobs waits longer each time. */
export function watchQueue({ clock, timing, work, onOverflow }: WatchQueueSettings): WatchQueue {
  const waiting = new Map<AccountId, Waiting>();
  const running = new Map<AccountId, Promise<void>>();
  const streaks = new Map<AccountId, { readonly count: number; readonly at: Millis }>();
  let stopped = false;

  /** How long the account's pause after its last job still lasts; milliseconds. */
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
    // Its time is set when the running job ends.
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

/** The first few reasons, because a stream may have hundreds of consumers. */
function summary(reasons: readonly string[]): string {
  const more = reasons.length > 3 ? ` and ${reasons.length - 3} more` : "";
  return `${reasons.slice(0, 3).join("; ")}${more}`;
}
