import { openApp } from "../lib/compose/compose.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import manifest from "../package.json" with { type: "json" };
import type { Interval } from "./arguments.ts";
import { printAside, printJsonLine } from "./out.ts";
import { serviceLog } from "./service-log.ts";
import { type GlobalOptions, interruptible, namedConfig, reportError, warn, warnOnce } from "./session.ts";
import { notePrinter, reportLine } from "./watch.ts";

export interface ServeOptions {
  readonly listen?: string;
  readonly sweepEvery: Interval;
}

/** `relight serve`: ends with 0 once it is stopped, or with 1 if a step was still under way after `serve.grace`. */
export async function runServe(options: GlobalOptions, { listen, sweepEvery }: ServeOptions): Promise<ExitCode> {
  const { config: configFile, context: natsContext, json } = options;
  const say = (text: string): void => printAside([`relight: ${text}`]);
  const stop = interruptible({ say });
  try {
    // No other command needs an HTTP server.
    const [{ openService }, { runServer }, { openConsole }] = await Promise.all([
      import("../lib/compose/open-service.ts"),
      import("../serve/run.ts"),
      import("../console/open.ts"),
    ]);
    const { signal } = stop;
    const log = serviceLog(options);
    const settings = { configFile, natsContext, listen, log, signal, version: manifest.version, onAdvice: warnOnce() };
    await using service = await openService({ ...settings, ...namedConfig(options) });
    if (service.nobodyPagedWarning !== undefined) warn(service.nobodyPagedWarning);
    await using app = await openApp({ ...settings, ...namedConfig(options) });
    const { withApp } = service;
    const person = "somebody on this machine";
    const { pages, access, drain } = await openConsole({ app, withApp, log, person, signsInOnLoopback: true });
    const end = await runServer({
      service: { ...service, drain: async () => void (await Promise.all([service.drain(), drain()])) },
      console: pages,
      access,
      signal,
      sweepEvery: sweepEvery === "off" ? undefined : sweepEvery,
      report: await service.withApp((app) => notePrinter(app, options)),
      onServing: (url) => {
        if (json) printJsonLine({ at: new Date().toISOString(), what: "serving", url });
        else say(`serving on ${url}`);
      },
    });
    if (end === "parked") warn("a step was still under way after serve.grace; the next start finishes it");
    return end === "parked" ? EXIT.warning : EXIT.ok;
  } catch (thrown) {
    return json ? reportLine(thrown) : reportError(thrown, options);
  } finally {
    stop.end();
  }
}
