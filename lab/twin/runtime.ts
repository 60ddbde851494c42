/**
 * What runs in a function's own process: it stands for Lambda's Node.js runtime. It imports the bundle, gives
 * the handler one event, and tells the twin what came of it.
 */
import { channel } from "node:diagnostics_channel";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { IMPORTED } from "./runtime-channel.ts";

/** From the twin to the process. */
export interface Invocation {
  readonly event: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds at which Lambda ends it. */
  readonly deadline: number;
  /** `dist/functions/sweep.handler`, below the folder in which the zip was unpacked. */
  readonly handler: string;
}

/** From the process to the twin; errors as Lambda's runtime words them. */
export type Outcome =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

process.once("message", async (message) => {
  const outcome = await invoke(message as Invocation);
  // Lambda freezes the process as soon as it has the answer; nothing that is left over may run on.
  process.send?.(outcome, () => process.exit(0));
});

// The twin itself is gone: nothing may be left behind.
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
