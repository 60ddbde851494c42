/**
 * Runs in a function's process, in place of Lambda's Node.js runtime: imports the bundle, passes one event to the handler,
 * and sends the outcome to the twin.
 */
import { channel } from "node:diagnostics_channel";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { IMPORTED } from "./runtime-channel.ts";

/** The message from the twin to the process. */
export interface Invocation {
  readonly event: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds at which Lambda ends it. */
  readonly deadline: number;
  /** `dist/functions/sweep.handler`, relative to the unpacked zip. */
  readonly handler: string;
}

/** The message from the process to the twin; errors as in Lambda's runtime. */
export type Outcome =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

process.once("message", async (message) => {
  const outcome = await invoke(message as Invocation);
  // Lambda freezes the process once it has the answer, so nothing may continue to run.
  process.send?.(outcome, () => process.exit(0));
});

// The twin has ended, so end too.
process.once("disconnect", () => process.exit(1));

async function invoke({ event, context, deadline, handler }: Invocation): Promise<Outcome> {
  try {
    const [, file = "", name = ""] = /^(.+)\.([^.]+)$/.exec(handler) ?? [];
    const module = await import(pathToFileURL(join(process.cwd(), `${file}.mjs`)).href);
    channel(IMPORTED).publish(undefined);
    const getRemainingTimeInMillis = () => Math.max(0, deadline - Date.now());
    const answer = await module[name](event, { ...context, getRemainingTimeInMillis });
    return { ok: true, answer: answer ?? null };
  } catch (thrown) {
    const { name = "Error", message = String(thrown) } = thrown as Error;
    return { ok: false, errorType: name, errorMessage: message };
  }
}
