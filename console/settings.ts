import type { App } from "../lib/compose/compose.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Guard } from "./guard.ts";

export interface ConsoleSettings {
  /** Open for as long as the console runs. It answers from the journal. */
  readonly app: Pick<App, "journal" | "configured" | "nameOf" | "policyOf" | "links" | "clock" | "console" | "mode">;
  /** Works with Relight as one plan or job needs it, with a connection of its own. */
  readonly withApp: <T>(work: (app: Pick<App, "context" | "order" | "inventory">) => Promise<T>) => Promise<T>;
  readonly guard: Guard;
  readonly log: Log;
}
