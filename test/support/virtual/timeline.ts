import type { Clock } from "../../../lib/ports/clock.ts";

interface Due {
  readonly at: number;
  readonly run: () => void;
}

/** What happens by itself later on, each at its moment, whenever somebody looks: elections, starts, ends of claims. */
export interface Timeline {
  /** The moment of what happens now; else the clock's. Milliseconds. */
  now(): number;
  /** Lets something happen so many milliseconds from now. */
  after(delay: number, run: () => void): void;
  at(moment: number, run: () => void): void;
  /** Lets all happen that is due by the clock. */
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
