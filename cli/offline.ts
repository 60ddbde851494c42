import type { Command } from "commander";
import { collect } from "./arguments.ts";
import type { CheckConfigOptions } from "./check-config.ts";
import type { CommandResult } from "./session.ts";

/** Adds the commands that need neither a configuration nor a connection. */
export function addOfflineCommands(
  program: Command,
  run: (command: () => Promise<CommandResult>) => Promise<void>,
): void {
  program
    .command("check-config <file...>")
    .description("find mistakes in nats-server configurations (files, folders, ConfigMaps, -); needs no connection")
    .option("--env <NAME=VALUE>", "a variable of the server's environment; can be repeated", collect, [])
    .option("--offline", "this is not the server's machine: missing credentials files are no mistake", false)
    .option("--sarif", "print SARIF, for code scanning", false)
    .action((files: readonly string[], options: CheckConfigOptions) =>
      run(async () => {
        const { checkConfigFiles } = await import("./check-config.ts");
        return checkConfigFiles(files, options);
      }),
    );

  program
    .command("explain [what...]")
    .description(
      "explain a code (limit.near, toggle-jetstream), or the lines of nats-server logs: files, also .gz, folders, or standard input",
    )
    .action((what: readonly string[]) =>
      run(async () => {
        const { explain } = await import("./explain.ts");
        return explain(what);
      }),
    );
}
