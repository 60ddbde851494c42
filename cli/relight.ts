import { Command, CommanderError, Help, Option } from "commander";
import type { App } from "../lib/compose/compose.ts";
import type { Millis } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import manifest from "../package.json" with { type: "json" };
import { collect, listOf, readCount, readTime, readWords } from "./arguments.ts";
import type { AcknowledgeOptions } from "./commands.ts";
import { addCompletionCommand, COMPLETE } from "./completion/completion.ts";
import type { ConsoleOptions } from "./console.ts";
import { addJetStreamCommand } from "./jetstream.ts";
import { addOfflineCommands } from "./offline.ts";
import { printAside, printLines } from "./out.ts";
import type { PushOptions } from "./push.ts";
import type { RotateKeyOptions } from "./rotate-key.ts";
import { addServiceCommands } from "./services.ts";
import {
  type CommandResult,
  type Console,
  type GlobalOptions,
  reportError,
  runCommand,
  runOffline,
} from "./session.ts";
import type { InitOptions } from "./setup/init.ts";

/*
 * Each command is imported when it runs: help, completion and mistakes need none of them, and imports take longer than
 * all else that they do.
 */
const commands = () => import("./commands.ts");

const EXIT_CODES = `
Exit codes: 0 OK, 1 warning, 2 critical, 3 unknown.
ACCOUNT is an account's name, its id (A…), or the beginning of its id.`;

const UNDELETE = "bring back an account that somebody deleted, including its streams and old credentials";

let exitCode: ExitCode = EXIT.ok;

/** Every command with its options; the test of the documents reads them too. */
export const program = new Command("relight")
  .description(
    "Keeps NATS accounts alive: renews their JWTs, proves that JetStream works, and revives it if it does not.",
  )
  .version(manifest.version)
  .addOption(new Option("-c, --config <file>", "the configuration file").default("relight.yaml").env("RELIGHT_CONFIG"))
  .addOption(
    new Option(
      "--context <name>",
      "a context of the nats command, instead of cluster's servers, credentials and TLS",
    ).env("RELIGHT_CONTEXT"),
  )
  .option("--json", "print one JSON document, also for errors", false)
  .option("-v, --verbose", "write log lines to standard error", false)
  .addHelpText("after", EXIT_CODES)
  .configureHelp({
    // That an option which is not given is off goes without saying.
    optionDescription: (option) => new Help().optionDescription(option).replace(/ ?\(default: false\)/, ""),
  })
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
    const { dryRun = false, nagios = false } = args.at(-2) as { dryRun?: boolean; nagios?: boolean };
    const options = { ...globalOptions(), dryRun, pages, nagios };
    exitCode = await runCommand(options, doing, (app) => command(app, ...words));
  };
}

const NAGIOS = (): Option =>
  new Option("--nagios", "print one line for a monitoring plugin (Nagios, Icinga)").default(false);

const DRY_RUN: [flags: string, text: string, byDefault: boolean] = [
  "--dry-run",
  "only show what would be done: change nothing, write nothing, page nobody",
  false,
];

program
  .command("init")
  .description("write a relight.yaml from nsc's stores and NATS contexts on this machine, and try it")
  .option("--nsc <folder>", "nsc's folder, its stores or one operator's folder (default: where nsc keeps them)")
  .option("--operator <name>", "which of several operators; its name or its public key")
  .option("--operator-jwt <file>", "the operator's JWT, if nsc is not on this machine")
  .addOption(new Option("--servers <urls>", "the servers' addresses, separated by commas").argParser(listOf))
  .option("--system-credentials <file>", "the credentials of a user of the system account")
  .option("--signing-key <file>", "the operator's key to sign with; default: a signing key that nsc has")
  .option("--read-only", "Relight will report what it would do, and change nothing", false)
  .option("--force", "replace the configuration if it exists", false)
  .option("--yes", "don't ask; fail if something is missing", false)
  .action(async (options: InitOptions) => {
    const { runInit } = await import("./setup/init.ts");
    exitCode = await runInit(globalOptions(), options);
  });

program
  .command("status")
  .description("show every account: expiry, next renewal and health")
  .addOption(NAGIOS())
  .action(act("looking at every account", async (app) => (await commands()).status(app)));

program
  .command("plan [account]")
  .description("show what Relight would do and why; change nothing")
  .option("--until <time>", "show the calendar of renewals within this time, such as 90d", readTime)
  .option("--storm <count>", "with --until: warn of more renewals than this within an hour", readCount, 20)
  .action((account: string | undefined, { until, storm }: { until?: Millis; storm: number }) =>
    act("looking, touching nothing", async (app) => {
      if (until === undefined) return (await commands()).plan(app, account);
      const { planUntil } = await import("./calendar.ts");
      return planUntil(app, account, { until, storm });
    })({}, {}),
  );

program
  .command("expiries")
  .description("list everything that expires: accounts, operator, credentials, activations, keys, certificates")
  .action(act("looking at all that expires", async (app) => (await import("./expiries.ts")).expiries(app)));

program
  .command("verify <account>")
  .description("check one account in depth and show the evidence")
  .addOption(NAGIOS())
  .action(act("looking", async (app, account) => (await commands()).verify(app, account)));

program
  .command("doctor")
  .description("check the cluster layer by layer, and Kubernetes probes")
  .option("-m, --manifest <file>", "check the probes in a Kubernetes manifest (or folder; - is stdin)", collect, [])
  .addOption(NAGIOS())
  .action(async ({ manifest: files, nagios }: { manifest: readonly string[]; nagios: boolean }) => {
    const { runDoctor } = await import("./doctor.ts");
    exitCode = await runDoctor({ ...globalOptions(), nagios }, files);
  });

program
  .command("renew <account>")
  .description("sign the claims in force again, push them, and prove them on every server")
  .option("--undelete", UNDELETE, false)
  .option(...DRY_RUN)
  .action((account: string, { undelete, ...options }: { undelete: boolean }) =>
    act("renewing", async (app) => (await commands()).renew(app, account, { undelete }))(options, {}),
  );

program
  .command("push <file>")
  .description("push a JWT that was issued elsewhere, and prove it (- reads standard input)")
  .option("--allow-changes", "show what it changes beyond a renewal and ask; limits can't be lowered", false)
  .option("--allow-earlier-expiry", "accept that it expires before the claims in force", false)
  .option("--undelete", UNDELETE, false)
  .option("--yes", "with --allow-changes: don't ask", false)
  .option(...DRY_RUN)
  .action(async (file: string, { dryRun, ...options }: PushOptions & { dryRun: boolean }) => {
    const command = async (app: App, console: Console) => {
      const { push } = await import("./push.ts");
      return push(app, console, file, options);
    };
    exitCode = await runCommand({ ...globalOptions(), dryRun }, "pushing", command);
  });

program
  .command("heal <account>")
  .description("apply remedies until JetStream works, or page a person")
  .option(...DRY_RUN)
  .action(act("looking", async (app, account) => (await commands()).heal(app, account), { pages: true }));

program
  .command("forget <account>")
  .description("mark a deleted account as gone for good: no longer show, check or push it")
  .requiredOption("--reason <text>", "why, and what became of its streams; for the journal", readWords)
  .action((account: string, { reason }: { reason: string }) =>
    act("looking", async (app) => (await commands()).forget(app, account, reason))({}, {}),
  );

program
  .command("confirm-restart <server>")
  .description("confirm that a server works whose restart did not end properly")
  .action(act("looking at the cluster", async (app, server) => (await commands()).confirmRestart(app, server)));

program
  .command("acknowledge <account> [what]")
  .description("stop reporting what a remedy lost: everything, one STREAM, or one 'STREAM > CONSUMER'")
  .requiredOption("--reason <text>", "why; for the journal", readWords)
  .option("--by <name>", "who decided this (default: the machine's user)", readWords)
  .action((account: string, what: string | undefined, options: AcknowledgeOptions) =>
    act("acknowledging", async (app) => (await commands()).acknowledge(app, account, what, options))({}, {}),
  );

program
  .command("run")
  .description("check all accounts once: renew what is due, heal, page")
  .option("--due", "only accounts that a scheduled sweep would check now", false)
  .option(...DRY_RUN)
  .action(({ due, dryRun }: { due: boolean; dryRun: boolean }) =>
    act("sweeping", async (app) => (await commands()).run(app, { due }), { pages: true })({ dryRun }, {}),
  );

addServiceCommands(program, async (run) => {
  exitCode = await run(globalOptions());
});

program
  .command("console")
  .description("show every account on pages in the browser, and take orders there; runs until stopped")
  .option("--listen <address>", "where on this machine; port 0 is any free one", "127.0.0.1:0")
  .option("--open", "open it in the browser", false)
  .action(async (options: ConsoleOptions) => {
    const { runConsole } = await import("./console.ts");
    exitCode = await runConsole(globalOptions(), options);
  });

program
  .command("rotate-key")
  .description("sign all accounts with another operator signing key, in waves")
  .requiredOption("--from <key>", "the old key's public key (O…)")
  .requiredOption("--to <key>", "the new key's (O…), which operator.signingKey refers to")
  .option("--wave <count>", "accounts per wave; each wave is verified before the next begins", readCount, 10)
  .option("--include-system", "include the system account, last", false)
  .option("--retire", "say whether the old key can be removed, and how", false)
  .option("--yes", "do it; without this, only show the plan", false)
  .action((options: RotateKeyOptions) => {
    const printLine = (line: string): void => void process.stderr.write(`${line}\n`);
    return act("rotating the key", async (app) => {
      const { rotateKey } = await import("./rotate-key.ts");
      return rotateKey(app, options, printLine);
    })({}, {});
  });

program
  .command("diff [account]")
  .description("compare claims: source of truth, resolver and each server")
  .action(act("comparing", async (app, account) => (await import("./diff.ts")).diff(app, account)));

addJetStreamCommand(program, async (doing, command) => {
  exitCode = await runCommand(globalOptions(), doing, command);
});

program
  .command("journal [account]")
  .description("show what Relight saw and did, oldest first")
  .option("-n, --limit <count>", "show the newest entries, at most this many", readCount, 100)
  .option("--correlation <id>", "only what one trigger led to; pages and log lines name it")
  .action((account: string | undefined, options: { limit: number; correlation?: string }) =>
    act("reading the journal", async (app) => (await commands()).journal(app, account, options))(account, {}, {}),
  );

addOfflineCommands(program, async (command) => {
  exitCode = await runOffline(program.opts<GlobalOptions>(), command);
});

addCompletionCommand(program, async (command) => {
  exitCode = await runOffline(program.opts<GlobalOptions>(), command);
});

/** Runs the command that `args` name. Never throws: every error ends as a message. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  if (args[0] === COMPLETE) {
    const { complete } = await import("./completion/complete.ts");
    return complete(program, args.slice(1));
  }
  const end = args.indexOf("--");
  // Also if the arguments can't be parsed.
  const words = args.slice(0, end < 0 ? undefined : end);
  const nagios = words.includes("--nagios");
  isForPrograms = words.includes("--json");
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (thrown) {
    const options = { ...program.opts<GlobalOptions>(), json: isForPrograms, nagios };
    if (!(thrown instanceof CommanderError)) return reportError(thrown, options);
    if (thrown.exitCode === 0) return EXIT.ok;
    const isHelp = thrown.code === "commander.help";
    // Without a command people have just read the help.
    if (isHelp && !options.json) return EXIT.unknown;
    const text = isHelp ? "there is no command" : thrown.message.replace(/^error: /, "").replaceAll("\n", " ");
    return reportError(new RelightError("usage", text), options);
  }
}
