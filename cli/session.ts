import { resolve } from "node:path";
import type { App } from "../lib/compose/compose.ts";
import { asRelightError, EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import { expandHome } from "../lib/files/paths.ts";
import { readStream, readText } from "../lib/files/read-text.ts";
import { type NagiosText, nagiosError, nagiosLine } from "./nagios.ts";
import { printAside, printJson, printLines, printRows } from "./out.ts";
import { type Progress, progressLine, warn } from "./progress.ts";

export { warn };

/** Options that every command has. */
export interface GlobalOptions {
  readonly config: string;
  /** A context of the `nats` command. */
  readonly context?: string;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Of the commands that have it: one line for a monitoring plugin. */
  readonly nagios?: boolean;
  /** Of the commands that have it: nothing is left behind. */
  readonly dryRun?: boolean;
  /** Of the commands that page people: warns if nobody would be called. */
  readonly pages?: boolean;
  /** Whether somebody named the configuration, so commands on pages name it, too. */
  readonly configNamed?: boolean;
  /** What an error is reported with: members of the JSON document, and lines after the error. */
  readonly afterError?: { readonly json: object; readonly lines: (error: RelightError) => readonly string[] };
}

/** What a command ends with: the same result for programs and for people. */
export interface CommandResult {
  readonly json: unknown;
  /** For people, one entry a line. Not called for programs. */
  readonly lines: () => readonly string[];
  readonly exit: ExitCode;
  /** For monitoring plugins, of the commands that have `--nagios`. */
  readonly nagios?: () => NagiosText;
}

/** What a command may ask of a person at the terminal. */
export interface Console {
  /**
   * Shows `lines` and waits for a yes. @throws RelightError `usage` if nobody can be asked, or the result is for a
   * program; `what` is what needs the yes.
   */
  confirm(lines: readonly string[], what: string): Promise<boolean>;
}

/** Runs one command from opening the app to the exit code. Never throws: every error ends as a message. */
export async function runCommand(
  options: GlobalOptions,
  doing: string,
  command: (app: App, console: Console) => Promise<CommandResult>,
): Promise<ExitCode> {
  const progress = await progressLine(options, doing);
  const stop = interruptible(progress);
  try {
    const { openApp } = await import("../lib/compose/compose.ts");
    await using app = await openApp({
      configFile: options.config,
      natsContext: options.context,
      onAdvice: progress.warn,
      log: progress.log,
      signal: stop.signal,
      upFront: true,
      dryRun: options.dryRun ?? false,
      writeMetrics: onStandardError,
      ...namedConfig(options),
    });
    if (options.pages && app.nobodyPagedWarning !== undefined) progress.warn(app.nobodyPagedWarning);
    const result = await command(app, {
      confirm: (lines, what) => {
        progress.end();
        return confirm(options, lines, what);
      },
    });
    progress.end();
    return await print(options, result);
  } catch (thrown) {
    progress.end();
    return await reportError(thrown, options);
  } finally {
    stop.end();
  }
}

/** Prints the result for people, or for programs. */
export async function print(options: Pick<GlobalOptions, "json" | "nagios">, result: CommandResult): Promise<ExitCode> {
  const { json, lines, exit, nagios } = result;
  if (options.json) await printJson(json);
  else if (options.nagios && nagios !== undefined) printRows([[nagiosLine(exit, nagios())]]);
  else printLines(lines());
  return exit;
}

/** The text of a file, or of standard input (`-`). */
export async function readInput(file: string): Promise<string> {
  return file === "-" ? readStream(process.stdin) : readText(expandHome(file));
}

/** Standard output belongs to the result. */
export const onStandardError = (line: string): void => printAside([line]);

async function confirm({ json }: GlobalOptions, lines: readonly string[], what: string): Promise<boolean> {
  if (json || !process.stdin.isTTY || !process.stderr.isTTY)
    throw new RelightError("usage", `${what} needs --yes where nobody can be asked (--dry-run only shows it)`);
  printAside(lines);
  const { createInterface } = await import("node:readline/promises");
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D are a no.
  const answer = new Promise<string>((done) => prompt.once("close", () => done("")));
  try {
    return /^y(es)?$/i.test(await Promise.race([prompt.question("Go on? [y/N] "), answer]));
  } finally {
    prompt.close();
  }
}

/** Runs a command that needs neither a configuration nor a connection. */
export async function runOffline(
  options: Pick<GlobalOptions, "json" | "verbose">,
  command: () => CommandResult | Promise<CommandResult>,
): Promise<ExitCode> {
  try {
    return await print(options, await command());
  } catch (thrown) {
    return await reportError(thrown, options);
  }
}

/** One error, said once: what is wrong and how to mend it. With `--json` it is the result on standard output. */
export async function reportError(
  thrown: unknown,
  options: Pick<GlobalOptions, "json" | "nagios" | "verbose" | "afterError">,
): Promise<ExitCode> {
  const error = asRelightError(thrown);
  const { afterError } = options;
  if (options.json) await printJson({ ...afterError?.json, error: error.toJSON() });
  else if (options.nagios) printRows([[nagiosError(error)]]);
  else printAside([...errorLines(error, "relight"), ...(afterError?.lines(error) ?? [])]);
  if (options.verbose && error.stack) printAside(error.stack.split("\n"));
  return error.exitCode;
}

/** The configuration's path for commands on pages. They may be typed in another folder. */
export function namedConfig({ config, configNamed = false }: GlobalOptions): { readonly namesConfig?: string } {
  return configNamed ? { namesConfig: resolve(config) } : {};
}

/** An error for people, said by or about `who`: what is wrong, and what to do about it. */
export function errorLines({ code, message, details, advice }: RelightError, who: string): string[] {
  const { faults } = details;
  const listed = code === "config.invalid" && Array.isArray(faults) ? faults.map((fault) => `  - ${fault}`) : [];
  const text = listed.length === 0 ? message : (message.split("\n")[0] ?? "");
  return [`${who}: ${text}`, ...listed, `  ${advice} [${code}]`];
}

/** The same, once for each text: every job of `watch` reads the secrets again. */
export function warnOnce(): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (!said.has(text)) warn(text);
    said.add(text);
  };
}

/** The first Ctrl-C lets the current step finish, because half a remedy is worse than none. The second ends it. */
export function interruptible(progress: Pick<Progress, "say">): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.unknown);
    controller.abort();
    progress.say("finishing the current step; Ctrl-C again stops at once, and the next run finishes the rest");
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const end = (): void => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  return { signal: controller.signal, end };
}
