import type { App } from "../lib/compose/compose.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Guard } from "./guard.ts";

export interface ConsoleSettings {
  /** Open for as long as the console runs. It answers from the journal. */
  readonly app: Pick<App, "journal" | "configured" | "nameOf" | "policyOf" | "links" | "clock" | "console" | "mode">;
  /** Opens Relight for one plan or job, with a connection of its own. */
  readonly open: () => Promise<FreshApp>;
  readonly guard: Guard;
  readonly log: Log;
}

/** What a plan and a job need. */
export type FreshApp = Pick<App, "context" | "order" | "mode"> & AsyncDisposable;
