import type { Command } from "commander";
import { contextNames, knownNames } from "../../lib/compose/known-names.ts";
import { isPrintable } from "../../lib/domain/time/printable.ts";
import { EXIT, type ExitCode } from "../../lib/errors.ts";
import { CODES } from "../codes.ts";
import { printRows } from "../out.ts";
import { candidatesFor } from "./candidates.ts";

/** Prints what can be typed next. Never fails: a Tab must not write errors between people's words. */
export async function complete(program: Command, words: readonly string[]): Promise<ExitCode> {
  const { env } = process;
  const names = {
    accounts: (config: string | undefined) => knownNames(config ?? env["RELIGHT_CONFIG"] ?? "relight.yaml", env),
    contexts: () => contextNames(env),
    codes: () => CODES.map(({ code }) => code),
  };
  try {
    const found = await candidatesFor(program, words, names);
    // What a shell would take for an option, or a terminal for a command, is left out.
    const safe = found.filter(({ text, about }) => isPrintable(text) && (about !== "account" || !text.startsWith("-")));
    printRows(safe.map(({ text, about }) => (about === "" ? [text] : [text, about])));
  } catch {
    // Then nothing is offered.
  }
  return EXIT.ok;
}
