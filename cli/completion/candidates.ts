import type { Command, Option } from "commander";

/** What can be typed next, worked out from the command tree. */

export interface Candidate {
  readonly text: string;
  readonly about: string;
}

/** Lists that are read only when they are needed. */
export interface Names {
  /** @param config the value of `--config` among the words */
  accounts(config: string | undefined): Promise<readonly string[]>;
  contexts(): readonly string[];
  codes(): readonly string[];
}

/** Stands for the names of files, which the shell completes itself. */
export const FILES = ":files";

/** @param words what was typed after `relight`; the last one is being typed and may be empty */
export async function candidatesFor(
  program: Command,
  words: readonly string[],
  names: Names,
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? "";
  const { command, position, option, used, config } = read(program, words.slice(0, -1));
  const all = await everyCandidate(program, { command, position, option, config, typed }, names);
  return all.filter(({ text }) => text === FILES || (text.startsWith(typed) && !used.has(text)));
}

interface Reading {
  readonly command: Command;
  /** How many arguments were typed before. */
  readonly position: number;
  /** The option whose value is being typed. */
  readonly option: Option | undefined;
  readonly used: ReadonlySet<string>;
  readonly config: string | undefined;
}

function read(program: Command, words: readonly string[]): Reading {
  let [command, position, isOver]: [Command, number, boolean] = [program, 0, false];
  let option: Option | undefined;
  let config: string | undefined;
  const used = new Set<string>();
  for (const word of words) {
    if (option !== undefined) {
      if (option.attributeName() === "config") config = word;
      option = undefined;
      continue;
    }
    const found = isOver
      ? undefined
      : optionsOf(program, command).find(({ short, long }) => word === short || word === long);
    if (word === "--") isOver = true;
    else if (found !== undefined) {
      if (!found.variadic && found.attributeName() !== "manifest") used.add(found.long ?? word);
      option = found.required || found.optional ? found : undefined;
    } else if (!word.startsWith("-") || isOver) {
      const next = position === 0 ? command.commands.find((one) => one.name() === word) : undefined;
      if (next === undefined) position += 1;
      else command = next;
    }
  }
  return { command, position, option, used, config };
}

async function everyCandidate(
  program: Command,
  { command, position, option, config, typed }: Omit<Reading, "used"> & { readonly typed: string },
  names: Names,
): Promise<readonly Candidate[]> {
  if (option !== undefined) return values(option.argChoices, /<(\w+)/.exec(option.flags)?.[1], option, names, config);
  if (typed.startsWith("-"))
    return optionsOf(program, command).map(({ long, description }) => about(long, description));
  if (command.commands.length > 0) return command.commands.map((one) => about(one.name(), one.description()));
  const args = command.registeredArguments;
  const argument = args[position] ?? args.find(({ variadic }) => variadic);
  return argument === undefined ? [] : values(argument.argChoices, argument.name(), undefined, names, config);
}

/** The values of an argument or an option, by its choices or by what it is called. */
async function values(
  choices: readonly string[] | undefined,
  name: string | undefined,
  option: Option | undefined,
  names: Names,
  config: string | undefined,
): Promise<readonly Candidate[]> {
  if (choices !== undefined) return choices.map((choice) => about(choice, ""));
  if (name === "account") return (await names.accounts(config)).map((account) => about(account, "account"));
  if (name === "file" || name === "folder") return [about(FILES, "")];
  if (name === "what") return [...names.codes().map((code) => about(code, "code")), about(FILES, "")];
  if (option?.attributeName() === "context") return names.contexts().map((context) => about(context, "NATS context"));
  return [];
}

/** Those of the command, of the commands around it, and the help. */
function optionsOf(program: Command, command: Command): readonly Option[] {
  const own = command.createHelp().visibleOptions(command);
  return [...own, ...(command === program ? [] : program.options)];
}

const about = (text: string | undefined, description: string): Candidate => ({
  text: text ?? "",
  about: description.replace(/\s+/g, " ").slice(0, 60),
});
