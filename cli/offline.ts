import type { Command } from "commander";
import type { CommandResult } from "./session.ts";

/** Adds the commands that need neither a configuration nor a connection. */
export function addOfflineCommands(
  program: Command,
  run: (command: () => Promise<CommandResult>) => Promise<void>,
): void {
  program
    .command("check-config <file...>")
    .description("find mistakes in nats-server configurations; needs no connection")
    .action((files: readonly string[]) =>
      run(async () => {
        const { checkConfigFiles } = await import("./check-config.ts");
        return checkConfigFiles(files);
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
