import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import ora from "ora";
import { type App, openApp } from "../lib/compose/compose.ts";
import { asRelightError, EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import { createLog, redactText } from "../lib/log.ts";
import type { Log } from "../lib/ports/log.ts";

/** Options that every command has. */
export interface GlobalOptions {
  readonly config: string;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Of the commands that have it: nothing is left behind. */
  readonly dryRun?: boolean;
  /** Of the commands that page people: warns if nobody would be called. */
  readonly pages?: boolean;
  /** Whether somebody named the configuration, so commands on pages name it, too. */
  readonly configNamed?: boolean;
}

/** What a command ends with: the same result for programs and for people. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  readonly exit: ExitCode;
}

/** What a command may ask of a person at the terminal. */
export interface Console {
  /**
   * Shows `text` and waits for a yes. @throws RelightError `usage` where nobody is there to be asked, or the
   * result is for a program; `what` is what needs the yes.
   */
  confirm(text: string, what: string): Promise<boolean>;
}

/** Runs one command from opening the app to the exit code. Never throws: every error ends as a message. */
export async function runCommand(
  options: GlobalOptions,
  doing: string,
  command: (app: App, console: Console) => Promise<CommandResult>,
): Promise<ExitCode> {
  const progress = progressLine(options, doing);
  const stop = interruptible(progress);
  try {
    await using app = await openApp({
      configFile: options.config,
      log: progress.log,
      signal: stop.signal,
      upFront: true,
      dryRun: options.dryRun ?? false,
      writeMetrics: onStandardError,
      ...namedConfig(options),
    });
    if (options.pages && app.callsNobody !== undefined) progress.warn(app.callsNobody);
    const result = await command(app, {
      confirm: (text, what) => {
        progress.end();
        return confirm(options, text, what);
      },
    });
    progress.end();
    return print(options, result);
  } catch (thrown) {
    progress.end();
    return reportError(thrown, options);
  } finally {
    stop.end();
  }
}

/** Prints the result for people, or for programs. */
export function print({ json: asJson }: Pick<GlobalOptions, "json">, { json, text, exit }: CommandResult): ExitCode {
  process.stdout.write(`${asJson ? JSON.stringify(json, null, 2) : text}\n`);
  return exit;
}

/** The text of a file, or of standard input (`-`). */
export const readInput = (file: string): Promise<string> => readFile(file === "-" ? "/dev/stdin" : file, "utf8");

/** Standard output belongs to the result. */
export const onStandardError = (line: string): void => void process.stderr.write(`${line}\n`);

async function confirm({ json }: GlobalOptions, text: string, what: string): Promise<boolean> {
  if (json || !process.stdin.isTTY || !process.stderr.isTTY)
    throw new RelightError("usage", `${what} needs --yes where nobody can be asked (--dry-run only shows it)`);
  process.stderr.write(`${redactText(text)}\n`);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D are a no.
  const answer = new Promise<string>((done) => prompt.once("close", () => done("")));
  try {
    return /^y(es)?$/i.test(await Promise.race([prompt.question("Go on? [y/N] "), answer]));
  } finally {
    prompt.close();
  }
}

/** Runs a command that needs neither a configuration nor a connection. What it prints holds no secrets. */
export async function runOffline(
  options: Pick<GlobalOptions, "json" | "verbose">,
  command: () => CommandResult | Promise<CommandResult>,
): Promise<ExitCode> {
  try {
    const { json, text, exit } = await command();
    process.stdout.write(`${redactText(options.json ? JSON.stringify(json, null, 2) : text)}\n`);
    return exit;
  } catch (thrown) {
    return reportError(thrown, options);
  }
}

/** One error, said once: what is wrong and how to mend it. With `--json` it is the result on standard output. */
export function reportError(thrown: unknown, options: Pick<GlobalOptions, "json" | "verbose">): ExitCode {
  const error = asRelightError(thrown);
  if (options.json) process.stdout.write(`${redactText(JSON.stringify({ error: error.toJSON() }, null, 2))}\n`);
  else process.stderr.write(redactText(`relight: ${error.message}\n  ${error.advice} [${error.code}]\n`));
  if (options.verbose && error.stack) process.stderr.write(`${redactText(error.stack)}\n`);
  return error.exitCode;
}

/** The configuration's path for commands on pages. They may be typed in another folder. */
export function namedConfig({ config, configNamed = false }: GlobalOptions): { readonly namesConfig?: string } {
  return configNamed ? { namesConfig: resolve(config) } : {};
}

/** On a line of its own. */
export const warn = (text: string): void => void process.stderr.write(`relight: warning: ${redactText(text)}\n`);

interface Progress {
  readonly log: Log;
  say(text: string): void;
  warn(text: string): void;
  end(): void;
}

/** A spinner for people at a terminal, log lines with `--verbose`, silence otherwise; always on stderr. */
function progressLine({ json, verbose }: GlobalOptions, doing: string): Progress {
  if (verbose) return { log: createLog({ level: "info" }), say: () => undefined, warn, end: () => undefined };
  const silent = createLog({ level: "silent" });
  if (json || !process.stderr.isTTY) return { log: silent, say: () => undefined, warn, end: () => undefined };
  const spinner = ora({ text: doing, discardStdin: false }).start();
  const say = (text: string): void => {
    spinner.text = text;
  };
  const describe = (message: string, data: object = {}): void => {
    const { rung } = data as { rung?: string };
    say(rung === undefined ? message : `${message}: ${rung}`);
  };
  const warnBeside = (text: string): void => {
    spinner.stop();
    warn(text);
    spinner.start();
  };
  return {
    log: { info: describe, warn: describe, error: describe },
    say,
    warn: warnBeside,
    end: () => void spinner.stop(),
  };
}

/** The first Ctrl-C lets the step under way finish, since half a remedy is worse than none; the second ends it. */
export function interruptible(progress: Pick<Progress, "say">): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.unknown);
    controller.abort();
    progress.say("finishing the step under way; Ctrl-C again to stop at once (the next run resumes)");
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const end = (): void => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  return { signal: controller.signal, end };
}
