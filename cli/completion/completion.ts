import { Argument, type Command } from "commander";
import { EXIT } from "../../lib/errors.ts";
import type { CommandResult } from "../session.ts";
import { SHELLS, type Shell } from "./scripts.ts";

/** What the scripts call; not for people, so it is in no help. */
export const COMPLETE = "__complete";

/** Adds `relight completion bash|zsh|fish`. */
export function addCompletionCommand(program: Command, run: (command: () => CommandResult) => Promise<void>): void {
  program
    .command("completion")
    .addArgument(new Argument("<shell>").choices(Object.keys(SHELLS)))
    .description("print a script that completes commands, options and accounts with Tab")
    .action((shell: Shell) =>
      run(() => ({
        json: { shell, script: SHELLS[shell] },
        lines: () => SHELLS[shell].split("\n"),
        exit: EXIT.ok,
      })),
    );
}
