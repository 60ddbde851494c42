import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import ms from "ms";
import type { App } from "../lib/compose/compose.ts";
import { isPrintable } from "../lib/domain/time/printable.ts";
import { type Millis, millis } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import manifest from "../package.json" with { type: "json" };
import { planUntil } from "./calendar.ts";
import { checkConfigFiles } from "./check-config.ts";
import type { AcknowledgeOptions } from "./commands.ts";
import * as commands from "./commands.ts";
import { diff } from "./diff.ts";
import { runDoctor } from "./doctor.ts";
import { expiries } from "./expiries.ts";
import { explainLog } from "./explain.ts";
import { addJetStreamCommand } from "./jetstream.ts";
import { printAside, printLines } from "./out.ts";
import { type PushOptions, push } from "./push.ts";
import { type RotateKeyOptions, rotateKey } from "./rotate-key.ts";
import {
  type CommandResult,
  type Console,
  type GlobalOptions,
  reportError,
  runCommand,
  runOffline,
} from "./session.ts";
import { type Interval, readInterval, runWatch } from "./watch.ts";

const EXIT_CODES = `
Exit codes: 0 OK, 1 warning, 2 critical, 3 unknown.
ACCOUNT is an account's name, its id (A…), or the beginning of its id.`;

const UNDELETE = "bring back an account that somebody deleted, with its streams and its old credentials";

let exitCode: ExitCode = EXIT.ok;

/** Every command with its options; the test of the documents reads them too. */
export const program = new Command("relight")
  .description(
    "Keeps NATS accounts alive: renews their JWTs, proves that JetStream came back, revives it when it did not.",
  )
  .version(manifest.version)
  .addOption(new Option("-c, --config <file>", "the configuration").default("relight.yaml").env("RELIGHT_CONFIG"))
  .addOption(
    new Option(
      "--context <name>",
      "a context of the nats command, instead of cluster's servers, credentials and TLS",
    ).env("RELIGHT_CONTEXT"),
  )
  .option("--json", "one JSON document on standard output, for programs", false)
  .option("-v, --verbose", "what is done, as log lines on standard error", false)
  .addHelpText("after", EXIT_CODES)
  .configureOutput({
    writeOut: (text) => printLines(linesIn(text)),
    writeErr: (text) => void (isForPrograms || printAside(linesIn(text))),
    // Reported like every other error.
    outputError: () => undefined,
  })
  .exitOverride();

const globalOptions = (): GlobalOptions & { readonly configNamed: boolean } => ({
  ...program.opts<GlobalOptions>(),
  configNamed: program.getOptionValueSource("config") !== "default",
});
const linesIn = (text: string): readonly string[] => text.replace(/\n$/, "").split("\n");

let isForPrograms = false;

/** The arguments, then the command's own options, then the command itself. */
function act(
  doing: string,
  command: (app: App, ...args: string[]) => Promise<CommandResult>,
  { pages = false }: { readonly pages?: boolean } = {},
) {
  return async (...args: unknown[]): Promise<void> => {
    const words = args.slice(0, -2) as string[];
    const { dryRun = false } = args.at(-2) as { dryRun?: boolean };
    const options = { ...globalOptions(), dryRun, pages };
    exitCode = await runCommand(options, doing, (app) => command(app, ...words));
  };
}

const DRY_RUN: [flags: string, text: string, byDefault: boolean] = [
  "--dry-run",
  "look and say what would be done; leave no trace, call nobody",
  false,
];

program
  .command("status")
  .description("every account: when it expires, where it stands in its renewal window, and its verdict")
  .action(act("looking at every account", commands.status));

program
  .command("plan [account]")
  .description("what would be done and why; touches nothing")
  .option("--until <time>", "the calendar of the renewals to come in that time, such as 90d", readTime)
  .option("--storm <count>", "with --until: more renewals within an hour are a storm", readCount, 20)
  .action((account: string | undefined, { until, storm }: { until?: Millis; storm: number }) =>
    act("looking, touching nothing", (app) =>
      until === undefined ? commands.plan(app, account) : planUntil(app, account, { until, storm }),
    )({}, {}),
  );

program
  .command("expiries")
  .description("everything that expires: accounts, operator, credentials, activations, keys, certificates")
  .action(act("looking at all that expires", expiries));

program
  .command("verify <account>")
  .description("the deep verdict with its evidence (exit 0 healthy, 1 degraded, 2 dead, 3 unknown)")
  .action(act("looking", commands.verify));

program
  .command("doctor")
  .description("the cluster's health layer by layer, and the probes that Kubernetes asks of it")
  .option("-m, --manifest <file>", "check the probes in a Kubernetes manifest (- reads standard input)", collect, [])
  .action(async ({ manifest: files }: { manifest: readonly string[] }) => {
    exitCode = await runDoctor(globalOptions(), files);
  });

program
  .command("renew <account>")
  .description("re-sign the claims in force, gate, push, prove on every server, verify")
  .option("--undelete", UNDELETE, false)
  .option(...DRY_RUN)
  .action((account: string, { undelete, ...options }: { undelete: boolean }) =>
    act("renewing", (app) => commands.renew(app, account, { undelete }))(options, {}),
  );

program
  .command("push <file>")
  .description("the same for a JWT made elsewhere (- reads standard input)")
  .option("--allow-changes", "show what it changes beyond a renewal, and ask; limits can't be lowered", false)
  .option("--allow-earlier-expiry", "it may expire before the claims in force do", false)
  .option("--undelete", UNDELETE, false)
  .option("--yes", "with --allow-changes: don't ask", false)
  .option(...DRY_RUN)
  .action(async (file: string, { dryRun, ...options }: PushOptions & { dryRun: boolean }) => {
    const command = (app: App, console: Console) => push(app, console, file, options);
    exitCode = await runCommand({ ...globalOptions(), dryRun }, "pushing", command);
  });

program
  .command("heal <account>")
  .description("climb the ladder until JetStream works again, or call a person with the evidence")
  .option(...DRY_RUN)
  .action(act("looking", commands.heal, { pages: true }));

program
  .command("forget <account>")
  .description("say that a deleted account is gone for good: it is shown and swept no more, and never pushed")
  .requiredOption("--reason <text>", "why, and what became of its streams; it goes into the journal", readWords)
  .action((account: string, { reason }: { reason: string }) =>
    act("looking", (app) => commands.forget(app, account, reason))({}, {}),
  );

program
  .command("confirm-restart <server>")
  .description("say that you looked at a server whose restart was not seen to end; refused while not all is well")
  .action(act("looking at the cluster", commands.confirmRestart));

program
  .command("acknowledge <account> [what]")
  .description("take what a remedy lost for known: all of it, or one stream, or one 'STREAM > CONSUMER'")
  .requiredOption("--reason <text>", "why it is accepted; it goes into the journal", readWords)
  .option("--by <name>", "who accepts it; the user of this machine by default", readWords)
  .action((account: string, what: string | undefined, options: AcknowledgeOptions) =>
    act("acknowledging", (app) => commands.acknowledge(app, account, what, options))({}, {}),
  );

program
  .command("run")
  .description("one sweep over all accounts: renew what is due, verify, heal, escalate")
  .option("--due", "only accounts that a scheduled sweep would look at now", false)
  .option(...DRY_RUN)
  .action(({ due, dryRun }: { due: boolean; dryRun: boolean }) =>
    act("sweeping", (app) => commands.run(app, { due }), { pages: true })({ dryRun }, {}),
  );

program
  .command("watch")
  .description("listen to the cluster and renew, verify and heal at once; until it is stopped (exit 0)")
  .addOption(
    new Option("--sweep-every <time>", "how often all accounts are looked at beside; off for never")
      .argParser(readInterval)
      .default(millis(300_000), "5m"),
  )
  .option(...DRY_RUN)
  .action(async ({ sweepEvery, dryRun }: { sweepEvery: Interval; dryRun: boolean }) => {
    exitCode = await runWatch({ ...globalOptions(), dryRun }, sweepEvery);
  });

program
  .command("rotate-key")
  .description("sign all accounts with another operator signing key, in waves; without --yes only the plan")
  .requiredOption("--from <key>", "the old key's public key (O…)")
  .requiredOption("--to <key>", "the new key's (O…), which operator.signingKey refers to")
  .option("--wave <count>", "accounts in a wave; all of a wave are verified before the next", readCount, 10)
  .option("--include-system", "the system account too, last", false)
  .option("--retire", "say whether the old key may go, and how", false)
  .option("--yes", "do it", false)
  .action((options: RotateKeyOptions) => {
    const printLine = (line: string): void => void process.stderr.write(`${line}\n`);
    return act("rotating the key", (app) => rotateKey(app, options, printLine))({}, {});
  });

program
  .command("diff [account]")
  .description("claim by claim: source of truth, resolver, each server (exit 0 same, 1 differs, 2 missing, 3 unknown)")
  .action(act("comparing", diff));

addJetStreamCommand(program, async (doing, command) => {
  exitCode = await runCommand(globalOptions(), doing, command);
});

program
  .command("journal [account]")
  .description("what was seen and done, oldest first")
  .option("-n, --limit <count>", "at most this many entries, the newest", readCount, 100)
  .option("--correlation <id>", "only what this one trigger led to, as a page or a log line names it")
  .action((account: string | undefined, options: { limit: number; correlation?: string }) =>
    act("reading the journal", (app) => commands.journal(app, account, options))(account, {}, {}),
  );

program
  .command("check-config <file...>")
  .description("find mistakes in nats-server configurations, of leafnodes above all; needs no connection")
  .action(async (files: readonly string[]) => {
    exitCode = await runOffline(program.opts<GlobalOptions>(), () => checkConfigFiles(files));
  });

program
  .command("explain [file]")
  .description("what the lines of a nats-server's log mean (nothing or - reads standard input); needs no connection")
  .action(async (file?: string) => {
    exitCode = await runOffline(program.opts<GlobalOptions>(), () => explainLog(file));
  });

/** Words for the journal. @throws InvalidArgumentError if they are empty or have control characters. */
function readWords(text: string): string {
  if (text.trim() === "" || !isPrintable(text))
    throw new InvalidArgumentError("write words on one line, without control characters");
  return text;
}

/** @throws InvalidArgumentError for what is no length of time. */
function readTime(text: string): Millis {
  const value = /^\d+(\.\d+)?(s|m|h|d|w|y)$/.test(text) ? ms(text as ms.StringValue) : 0;
  if (value <= 0 || value > ms("100y")) throw new InvalidArgumentError("write a length of time such as 90d");
  return millis(value);
}

function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError("it is not a positive whole number");
  return count;
}

/** Runs the command that `args` name. Never throws: every error ends as a message. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  const end = args.indexOf("--");
  // Also if the arguments can't be parsed.
  isForPrograms = args.slice(0, end < 0 ? undefined : end).includes("--json");
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (thrown) {
    const options = { ...program.opts<GlobalOptions>(), json: isForPrograms };
    if (!(thrown instanceof CommanderError)) return reportError(thrown, options);
    if (thrown.exitCode === 0) return EXIT.ok;
    const isHelp = thrown.code === "commander.help";
    // Without a command people have just read the help.
    if (isHelp && !options.json) return EXIT.unknown;
    const text = isHelp ? "there is no command" : thrown.message.replace(/^error: /, "").replaceAll("\n", " ");
    return reportError(new RelightError("usage", text), options);
  }
}
