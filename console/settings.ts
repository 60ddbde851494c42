import type { App } from "../lib/compose/compose.ts";
import type { Job } from "../lib/ports/jobs.ts";
import type { Log } from "../lib/ports/log.ts";
import type { JobEnd } from "../lib/usecases/watch/watch.ts";
import type { Guard } from "./guard.ts";

export interface ConsoleSettings {
  /** Open for as long as the console runs. It answers from the journal. */
  readonly app: Pick<App, "journal" | "configured" | "nameOf" | "policyOf" | "links" | "clock" | "console" | "mode">;
  /** Opens Relight for one plan, with a connection of its own. */
  readonly open: () => Promise<FreshApp>;
  /** Queues a job, or runs it to its end if the queue is in this process. */
  readonly run: (job: Job) => Promise<JobEnd>;
  readonly guard: Guard;
  readonly log: Log;
}

/** What a plan needs. */
export type FreshApp = Pick<App, "context"> & AsyncDisposable;
