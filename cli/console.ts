import { spawn } from "node:child_process";
import { openConsole } from "../console/open.ts";
import { type App, openApp } from "../lib/compose/compose.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import { aborted, listen } from "../serve/listen.ts";
import { userOfMachine } from "./commands.ts";
import { printAside, printJsonLine, printLines } from "./out.ts";
import { serviceLog } from "./service-log.ts";
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
  const { config: configFile, context: natsContext, json } = options;
  const log = serviceLog(options);
  const stop = interruptible({ say: (line) => printAside([`relight: ${line}`]) });
  try {
    const { signal } = stop;
    const shared = { configFile, natsContext, listen: text, log, onAdvice: warnOnce(), writeMetrics: onStandardError };
    const settings = { ...shared, ...namedConfig(options) };
    const withApp = async <T>(work: (fresh: App) => Promise<T>): Promise<T> => {
      await using fresh = await openApp({ ...settings, signal });
      return await work(fresh);
    };
    await using app = await openApp(settings);
    const person = userOfMachine();
    const { pages, drain } = await openConsole({ app, withApp, log, person, signsInOnLoopback: false });
    const listening = await listen(pages, app.listen);
    const url = `${listening.url}/`;
    if (json) printJsonLine({ url });
    else printLines([`the console is at ${url} (Ctrl-C ends it)`]);
    if (opens) openBrowser(url);
    await aborted(signal);
    listening.end();
    await Promise.all([listening.close(), drain()]);
    return EXIT.ok;
  } catch (thrown) {
    return reportError(thrown, options);
  } finally {
    stop.end();
  }
}

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
