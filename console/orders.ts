import { setTimeout } from "node:timers/promises";
import { asRelightError, errorFields, RelightError } from "../lib/errors.ts";
import type { Job } from "../lib/ports/jobs.ts";
import type { JobEnd } from "../lib/usecases/watch/watch.ts";
import type { ConsoleSettings } from "./settings.ts";

/** The jobs that people ordered here. */
export interface Orders {
  /** @throws RelightError `request.invalid` if too many are under way */
  checkRoom(): void;
  /** Starts a job and returns at once. */
  start(job: Job): void;
  /** What the journal does not say about an order; for people. */
  noteOf(correlation: string): OrderNote | undefined;
  /** Waits for the jobs that run in this process. */
  drain(): Promise<void>;
}

/** `waiting`: another job works on the account. `failed`, `done`: the order has ended, and the journal may not say so. */
export interface OrderNote {
  readonly state: "waiting" | "failed" | "done";
  readonly text: string;
}

/** How many notes to remember. */
const MOST_NOTES = 200;
/** Orders at once: each has a connection to the cluster. */
const MOST_RUNNING = 16;
/** How often, and with what pause, an order waits for another job on its account; milliseconds. */
const TRIES = 60;
const PAUSE = 5_000;

/**
 * Queues jobs, or runs each to its end if the queue is in this process.
 * @param pause milliseconds between two tries while another job works on the account
 */
export function ordersOf({ withApp, log }: Pick<ConsoleSettings, "withApp" | "log">, pause = PAUSE): Orders {
  const notes = new Map<string, OrderNote>();
  const running = new Set<Promise<void>>();

  const note = (id: string, what: OrderNote): void => {
    notes.delete(id);
    notes.set(id, what);
    const [oldest] = notes.keys();
    if (notes.size > MOST_NOTES && oldest !== undefined) notes.delete(oldest);
  };

  /** The error of a job that failed, however it failed. */
  async function once(job: Job): Promise<JobEnd> {
    try {
      return await withApp((app) => app.order(job));
    } catch (thrown) {
      return { state: "failed", error: asRelightError(thrown) };
    }
  }

  /** A sweep or an event may have begun a job on the same account. */
  async function onceFree(job: Job): Promise<JobEnd> {
    for (let tries = 1; tries < TRIES; tries++) {
      const end = await once(job);
      if (end.state !== "failed" || end.error.code !== "account.busy") return end;
      note(job.id, {
        state: "waiting",
        text: "another job is working on the account; the order begins when it has ended",
      });
      await setTimeout(pause);
    }
    return once(job);
  }

  async function work(job: Job): Promise<void> {
    const end = await onceFree(job);
    notes.delete(job.id);
    if (end.state === "failed") {
      const { code, message, advice } = end.error;
      log.error("an order failed", { account: job.account, correlation: job.id, ...errorFields(end.error) });
      const isOurs = code === "internal";
      note(job.id, {
        state: "failed",
        text: isOurs ? "an error inside Relight; its log has the details" : `${message}. ${advice}`,
      });
    } else if (end.state === "done" && end.result.unrecorded !== undefined) {
      const { outcome, verdict, unrecorded } = end.result;
      note(job.id, {
        state: "done",
        text: `${outcome}: the account is ${verdict.health} (${unrecorded}: this check is not in the journal)`,
      });
    }
  }

  return {
    checkRoom: () => {
      if (running.size < MOST_RUNNING) return;
      throw new RelightError("request.invalid", "too many orders are under way; wait until one has ended");
    },
    start: (job) => {
      const done = work(job).finally(() => running.delete(done));
      running.add(done);
    },
    noteOf: (correlation) => notes.get(correlation),
    drain: async () => void (await Promise.all(running)),
  };
}
