import type { Clock } from "../../../lib/ports/clock.ts";

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/** What happens by itself later, each at its time, whenever somebody looks: elections, starts, expiries. */
export interface Timeline {
  /** The time of the current event; otherwise the clock's. Milliseconds. */
  now(): number;
  /** Schedules something in so many milliseconds. */
  after(delay: number, run: () => void): void;
  at(moment: number, run: () => void): void;
  /** Runs everything that is due by the clock. */
  settle(): void;
}

export function timeline(clock: Pick<Clock, "now">): Timeline {
  const due: Due[] = [];
  let moment: number | undefined;

  function at(when: number, run: () => void): void {
    const later = due.findIndex((other) => other.at > when);
    due.splice(later < 0 ? due.length : later, 0, { at: when, run });
  }
  const now = (): number => moment ?? clock.now();
  return {
    now,
    at,
    after: (delay, run) => at(now() + delay, run),
    settle: () => {
      if (moment !== undefined) return;
      for (let next = due[0]; next !== undefined && next.at <= clock.now(); next = due[0]) {
        due.shift();
        moment = next.at;
        next.run();
        moment = undefined;
      }
    },
  };
}
