/** Makes the manual page man/relight.1 from the command tree (`npm run docs`). A test fails if it is outdated. */
import { join } from "node:path";
import type { Command, Option } from "commander";
import { program } from "../cli/relight.ts";
import { ERRORS } from "../lib/errors.ts";

export const MAN_PAGE = join(import.meta.dirname, "..", "man", "relight.1");

/** The page in the man(7) macros. It has no date, so it changes only with the commands. */
export function manPage(): string {
  const lines = [
    '.TH RELIGHT 1 "" "relight" "User Commands"',
    ".SH NAME",
    "relight \\- keeps NATS accounts alive",
    ".SH SYNOPSIS",
    ".B relight",
    `${italics("options")} ${italics("command")} ${italics("arguments")}`,
    ".SH DESCRIPTION",
    escaped(program.description()),
    ".SH OPTIONS",
    ...optionLines(program),
    ".SH COMMANDS",
    ...program.commands.flatMap((command) => commandLines(command, "")),
    ...EXIT_STATUS,
    ...FILES,
    ".SH SEE ALSO",
    escaped(
      "The documentation is in the folder docs of the package: docs/reference.md has every key, finding and error.",
    ),
    escaped("relight explain CODE explains a code."),
    ".BR nats\\-server (8)",
  ];
  return `${lines.join("\n")}\n`;
}

const EXIT_STATUS = [
  ".SH EXIT STATUS",
  ...[
    ["0", "OK"],
    ["1", "Warning"],
    ["2", "Critical"],
    ["3", `Unknown. Of the ${Object.keys(ERRORS).length} errors each has its own; see docs/reference.md.`],
  ].flatMap(([code = "", text = ""]) => [".TP", `.B ${code}`, escaped(text)]),
];

const FILES = [
  ".SH FILES",
  ".TP",
  ".I relight.yaml",
  "The configuration, in the current folder; relight init writes it.",
  ".TP",
  ".I relight.sqlite",
  "The journal, beside the configuration unless that names another.",
  ".SH ENVIRONMENT",
  ...program.options.flatMap(({ envVar, long }) =>
    envVar === undefined ? [] : [".TP", `.B ${envVar}`, escaped(`Stands for ${long}.`)],
  ),
];

function commandLines(command: Command, before: string): readonly string[] {
  const path = `${before}${command.name()}`;
  if (command.commands.length > 0) return command.commands.flatMap((one) => commandLines(one, `${path} `));
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? " ..." : ""}`;
    return argument.required ? italics(name) : `[${italics(name)}]`;
  });
  return [
    `.SS ${quoted(path)}`,
    [`.B relight ${escaped(path)}`, "\n", args.join(" ")].join("").trim(),
    ".PP",
    escaped(command.description()),
    ...optionLines(command),
  ];
}

function optionLines(command: Command): readonly string[] {
  const help = command.createHelp();
  const own = command.options.filter(({ hidden }) => !hidden);
  return own.flatMap((option: Option) => [
    ".TP",
    `.B ${escaped(option.flags)}`,
    escaped(help.optionDescription(option)),
  ]);
}

const italics = (text: string): string => `\\fI${escaped(text)}\\fR`;
const quoted = (text: string): string => `"${escaped(text)}"`;

/** Text that roff takes as it is: no control lines, and ASCII only. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll('"', "\\(dq")
    .replaceAll("…", "...")
    .replace(/^\./, "\\&.");
}
