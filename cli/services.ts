import { type Command, Option } from "commander";
import { millis } from "../lib/domain/time/time.ts";
import type { ExitCode } from "../lib/errors.ts";
import { type Interval, readInterval } from "./arguments.ts";
import type { ServeOptions } from "./serve.ts";
import type { GlobalOptions } from "./session.ts";

/** Adds the commands that run until they are stopped. */
export function addServiceCommands(
  program: Command,
  act: (run: (options: GlobalOptions) => Promise<ExitCode>) => Promise<void>,
): void {
  program
    .command("watch")
    .description("listen to the cluster, and renew and heal at once; runs until stopped")
    .addOption(sweepEvery())
    .option("--dry-run", "only show what would be done: change nothing, write nothing, page nobody", false)
    .action(({ sweepEvery: every, dryRun }: { sweepEvery: Interval; dryRun: boolean }) =>
      act(async (options) => {
        const { runWatch } = await import("./watch.ts");
        return runWatch({ ...options, dryRun }, every);
      }),
    );

  program
    .command("serve")
    .description("watch, and take requests: probes, the API, the issuer's webhook; runs until stopped")
    .option("--listen <address>", "instead of serve.listen in the configuration, such as 127.0.0.1:8080")
    .addOption(sweepEvery())
    .action((own: ServeOptions) =>
      act(async (options) => {
        const { runServe } = await import("./serve.ts");
        return runServe(options, own);
      }),
    );
}

const sweepEvery = (): Option =>
  new Option("--sweep-every <time>", "how often to check all accounts as well; off: never, not even at the start")
    .argParser(readInterval)
    .default(millis(300_000), "5m");
