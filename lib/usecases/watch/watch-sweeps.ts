import type { Millis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Trigger } from "../../ports/jobs.ts";

export interface WatchSweepsSettings {
  readonly clock: Clock;
  /** How long after a sweep the next periodic one begins; never if undefined. */
  readonly every: Millis | undefined;
  /** Runs one sweep. Must not throw. */
  readonly work: (trigger: Trigger, reason: string) => Promise<void>;
}

export interface WatchSweeps {
  /** Requests a sweep after `settle`; an earlier one also satisfies it. */
  ask(trigger: Trigger, reason: string, settle: Millis): void;
  /** Cancels a sweep that an event requested, because another one follows. Periodic ones stay. */
  forget(): void;
  stop(): Promise<void>;
}

interface Waiting {
  readonly trigger: Trigger;
  readonly at: number;
  readonly dropped: AbortController;
}

/** Runs one sweep at a time; at most one waits. */
export function watchSweeps({ clock, every, work }: WatchSweepsSettings): WatchSweeps {
  let waiting: Waiting | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  function ask(trigger: Trigger, reason: string, settle: Millis): void {
    const at = clock.monotonic() + settle;
    if (stopped || (waiting !== undefined && waiting.at <= at)) return;
    waiting?.dropped.abort();
    const dropped = new AbortController();
    waiting = { trigger, at, dropped };
    void clock.sleep(settle, dropped.signal).then(() => {
      if (!dropped.signal.aborted) begin(trigger, reason);
    });
  }

  function begin(trigger: Trigger, reason: string): void {
    waiting = undefined;
    const before = running ?? Promise.resolve();
    running = before.then(() => run(trigger, reason));
  }

  async function run(trigger: Trigger, reason: string): Promise<void> {
    if (stopped) return;
    await work(trigger, reason);
    askPeriodic();
  }

  function askPeriodic(): void {
    if (every !== undefined) ask("schedule", "the periodic sweep", every);
  }

  return {
    ask,
    forget: () => {
      if (waiting === undefined || waiting.trigger !== "event") return;
      waiting.dropped.abort();
      waiting = undefined;
      askPeriodic();
    },
    stop: async () => {
      stopped = true;
      waiting?.dropped.abort();
      await running;
    },
  };
}
