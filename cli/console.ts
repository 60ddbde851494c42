import { spawn } from "node:child_process";
import { createConsole } from "../console/app.ts";
import { isLoopback, listen, readAddress } from "../console/listen.ts";
import { loopbackGuard } from "../console/loopback.ts";
import { ordersOf } from "../console/orders.ts";
import { openApp } from "../lib/compose/compose.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import { createLog } from "../lib/log.ts";
import type { Job } from "../lib/ports/jobs.ts";
import type { JobEnd } from "../lib/usecases/watch/watch.ts";
import { userOfMachine } from "./commands.ts";
import { printAside, printJson, printLines } from "./out.ts";
import { type GlobalOptions, interruptible, namedConfig, onStandardError, reportError, warnOnce } from "./session.ts";

export interface ConsoleOptions {
  readonly listen: string;
  readonly open: boolean;
}

/** Serves the pages on this machine until Ctrl-C or SIGTERM. Needs no connection to NATS to show them. */
export async function runConsole(
  options: GlobalOptions,
  { listen: text, open: opens }: ConsoleOptions,
): Promise<ExitCode> {
  const { config: configFile, context: natsContext, json, verbose } = options;
  const log = createLog({ level: verbose ? "info" : "warn" });
  const stop = interruptible({ say: (line) => printAside([`relight: ${line}`]) });
  try {
    const address = readAddress(text);
    if (!isLoopback(address.host)) throw new RelightError("usage", `${text} is not an address of this machine alone`);
    const { signal } = stop;
    const shared = { configFile, natsContext, log, onAdvice: warnOnce(), writeMetrics: onStandardError };
    const settings = { ...shared, ...namedConfig(options) };
    const open = () => openApp({ ...settings, signal });
    const run = async (job: Job): Promise<JobEnd> => {
      await using fresh = await open();
      return await fresh.order(job);
    };
    const orders = ordersOf(run, log);
    await using app = await openApp(settings);
    const guard = loopbackGuard(userOfMachine());
    const hono = createConsole({ app, open, run, guard, log }, orders);
    await using listening = await listen(hono, address);
    const { url } = listening;
    if (json) printJson({ url }, 0);
    else printLines([`the console is at ${url} (Ctrl-C ends it)`]);
    if (opens) openBrowser(url);
    await aborted(signal);
    await orders.drain();
    return EXIT.ok;
  } catch (thrown) {
    return reportError(thrown, options);
  } finally {
    stop.end();
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((done) => (signal.aborted ? done() : signal.addEventListener("abort", () => done(), { once: true })));

/** What opens an address on each system. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

function openBrowser(url: string): void {
  const [program = "xdg-open", ...args] = OPENERS[process.platform] ?? [];
  const started = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  started.on("error", () => printAside([`relight: no browser could be opened; open ${url}`]));
  started.unref();
}
