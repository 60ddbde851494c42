import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import type { App } from "../../lib/compose/compose.ts";
import { checkConfigText, type SearchOptions, searchMachine } from "../../lib/compose/setup.ts";
import { shortId } from "../../lib/domain/claims/account.ts";
import { configText } from "../../lib/domain/setup/config-text.ts";
import type { Found, FoundOperator } from "../../lib/domain/setup/found.ts";
import { type Missing, planSetup, type Setup, type SetupWishes } from "../../lib/domain/setup/plan-setup.ts";
import { defined } from "../../lib/domain/time/defined.ts";
import { asRelightError, EXIT, type ExitCode, RelightError } from "../../lib/errors.ts";
import { expandHome } from "../../lib/files/paths.ts";
import { readText } from "../../lib/files/read-text.ts";
import { writeWhole } from "../../lib/files/write-text.ts";
import { listOf } from "../arguments.ts";
import { status } from "../commands.ts";
import { worstExit } from "../levels.ts";
import { printAside } from "../out.ts";
import { type CommandResult, type GlobalOptions, print, reportError, runCommand } from "../session.ts";
import { tableOf } from "../table.ts";
import { type Asker, openAsker } from "./ask.ts";

/** `relight init`: finds what a configuration needs, asks for the rest, writes it, and ends with `status`. */
export interface InitOptions {
  readonly nsc?: string;
  readonly operator?: string;
  readonly operatorJwt?: string;
  readonly servers?: readonly string[];
  readonly systemCredentials?: string;
  readonly signingKey?: string;
  readonly readOnly: boolean;
  readonly force: boolean;
  readonly yes: boolean;
}

export async function runInit(
  options: GlobalOptions & { readonly configNamed: boolean },
  own: InitOptions,
): Promise<ExitCode> {
  const file = resolve(expandHome(options.config));
  try {
    const setup = await writeConfig(file, options, own);
    if (setup === undefined)
      return print(options, { json: { written: null }, lines: () => ["nothing was written"], exit: EXIT.ok });
    return await tryIt(file, options, setup);
  } catch (thrown) {
    return reportError(thrown, options);
  }
}

/** Undefined if the person said no. @throws RelightError `config.exists`, `setup.incomplete`, `interrupted`, `secret.*` */
async function writeConfig(file: string, options: GlobalOptions, own: InitOptions): Promise<Setup | undefined> {
  const exists = (): RelightError => new RelightError("config.exists", `${file} exists already`);
  if (!own.force && (await isThere(file))) throw exists();
  using asker = own.yes ? undefined : openAsker(options);
  const setup = await findSetup(file, options, own, asker);
  const text = configText(setup);
  checkConfigText(text, file, process.env);
  if (!options.json) printAside(summary(setup));
  if (asker !== undefined && !(await asker.agrees(`Write ${shortPath(file)}?`))) return undefined;
  try {
    if (writeWhole(file, text, { replace: own.force })) return setup;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RelightError("usage", `${file} can't be written: ${code}`, { cause });
  }
  throw exists();
}

async function findSetup(
  file: string,
  { context }: GlobalOptions,
  own: InitOptions,
  asker: Asker | undefined,
): Promise<Setup> {
  const { operator, servers, systemCredentials, signingKey, readOnly } = own;
  let search: SearchOptions = {
    env: process.env,
    baseDir: dirname(file),
    now: Math.floor(Date.now() / 1000),
    ...defined({ nsc: own.nsc, operatorJwt: referenceTo(own.operatorJwt) }),
  };
  let wishes: SetupWishes = {
    readOnly,
    ...defined({
      operator,
      servers,
      context,
      systemCredentials: referenceTo(systemCredentials),
      signingKey: referenceTo(signingKey),
    }),
  };
  let found = await searchMachine(search);
  for (;;) {
    const plan = planSetup(found, wishes);
    if ("setup" in plan) return plan.setup;
    const { missing } = plan;
    if (asker === undefined) throw new RelightError("setup.incomplete", describeMissing(missing));
    const answer = await askFor(missing, asker, found);
    if (answer.operatorJwt === undefined) wishes = { ...wishes, ...answer };
    else {
      try {
        const wider = { ...search, operatorJwt: answer.operatorJwt };
        found = await searchMachine(wider);
        search = wider;
      } catch (thrown) {
        // It was asked for, so it is asked for again.
        printAside([`  ${asRelightError(thrown).message}`]);
      }
    }
  }
}

type Answer = Partial<SetupWishes> & { readonly operatorJwt?: string };

async function askFor(missing: Missing, asker: Asker, { contexts }: Found): Promise<Answer> {
  switch (missing.what) {
    case "operator": {
      const { among } = missing;
      const current = among.findIndex(({ isCurrent }) => isCurrent);
      const chosen = await asker.choose("Which operator?", among.map(describeOperator), Math.max(0, current));
      return defined({ operator: among[chosen]?.id });
    }
    case "operator JWT": {
      printAside([describeMissing(missing).replace(/;.*/, "")]);
      return defined({ operatorJwt: await askFile(asker, "The file with the operator's JWT:") });
    }
    case "system credentials": {
      printAside([describeMissing(missing).replace(/;.*/, "")]);
      const names = contexts.map(({ name }) => `the NATS context ${name}`);
      const chosen = names.length === 0 ? 0 : await asker.choose("Use", ["a credentials file", ...names], 0);
      const context = contexts[chosen - 1]?.name;
      if (context !== undefined) return { context };
      return defined({ systemCredentials: await askFile(asker, "The credentials file of such a user:") });
    }
    case "servers": {
      const text = await asker.text("The servers' addresses, separated by commas:", "nats://127.0.0.1:4222");
      return { servers: listOf(text) };
    }
  }
}

/** A secret reference. Asks again while it names a file that can't be read. */
async function askFile(asker: Asker, question: string): Promise<string | undefined> {
  const reference = referenceTo(await asker.text(question));
  if (reference?.startsWith("file:") !== true) return reference;
  try {
    readText(expandHome(reference.slice("file:".length)));
    return reference;
  } catch (thrown) {
    printAside([`  ${shortPath(reference)} ${(thrown as Error).message}`]);
    return askFile(asker, question);
  }
}

/** What is missing; after the semicolon: how to name it. */
function describeMissing(missing: Missing): string {
  switch (missing.what) {
    case "operator": {
      const names = missing.among.map(describeOperator).join(", ");
      const why =
        missing.wanted === undefined ? "there are several operators" : `no single operator is ${missing.wanted}`;
      return `${why}: ${names}; choose with --operator NAME (or its public key)`;
    }
    case "operator JWT":
      return `no operator was found in nsc's stores (${missing.stores.join(", ")}); name a store with --nsc FOLDER, or the operator's JWT with --operator-jwt FILE`;
    case "system credentials": {
      const { name, systemAccount } = missing.operator;
      const account = systemAccount === undefined ? "its system account" : `its system account ${systemAccount}`;
      return `operator ${name}: no valid credentials of a user of ${account} were found; name them with --system-credentials FILE or --context NAME (create some: nsc generate creds --account SYS --name USER)`;
    }
    case "servers":
      return `operator ${missing.operator.name} has no service URLs, and nothing listens on 127.0.0.1:4222; name the servers with --servers URL,URL`;
  }
}

const describeOperator = ({ name, id, jwt }: FoundOperator): string => `${name} ${shortId(id)} (${shortPath(jwt)})`;

/** A path as a secret reference; a reference as it is. */
function referenceTo(text: string | undefined): string | undefined {
  if (text === undefined || /^(file:|env:|nats-context:|aws-sm:\/\/|aws-kms:\/\/)/.test(text)) return text;
  return `file:${resolve(expandHome(text))}`;
}

/** With `~` for the home folder, for people. */
const shortPath = (path: string): string => path.replace(/^file:/, "").replace(`${homedir()}/`, "~/");

function summary({ operator, context, servers, systemCredentials, signingKey, readOnly }: Setup): string[] {
  const named = context === undefined ? "?" : `the NATS context ${context}`;
  const withKey = operator.accounts.filter(({ key }) => key !== undefined).length;
  const rows = [
    ["operator", describeOperator(operator)],
    ["servers", servers?.join(", ") ?? named],
    ["system user", systemCredentials === undefined ? named : shortPath(systemCredentials)],
    ["signing key", signingKey?.about ?? "none was found"],
    [
      "accounts",
      operator.folder === undefined
        ? "as the servers know them"
        : `${operator.accounts.length} in nsc's store, ${withKey} with a key`,
    ],
    ...(readOnly ? [["mode", "read-only: Relight changes nothing"]] : []),
  ];
  return tableOf(["", ""], rows).slice(1);
}

const isThere = async (file: string): Promise<boolean> => (await import("node:fs")).existsSync(file);

/** Connects with the new file. It stays whatever comes of that. */
function tryIt(file: string, options: GlobalOptions, { operator, signingKey }: Setup): Promise<ExitCode> {
  const { context: _written, ...rest } = options;
  const named = options.configNamed ? ` --config ${shortPath(file)}` : "";
  const again = [
    `${shortPath(file)} is written all the same. Edit it and check again: relight${named} status`,
    `Or start over: relight${named} init --force`,
  ];
  const other = `The servers may belong to another operator than ${operator.name}; then name it with --operator.`;
  const afterError = {
    json: { written: file },
    lines: ({ code }: RelightError) => [...(code === "nats.unauthorized" ? [other] : []), ...again],
  };
  if (!options.json) printAside([`wrote ${shortPath(file)}`, ""]);
  return runCommand({ ...rest, config: file, afterError }, "looking at every account", async (app) => {
    const warnings = await checkTrust(app, operator, signingKey?.reference);
    const result = await status(app);
    return {
      ...result,
      json: { written: file, ...(result.json as object), setupWarnings: warnings },
      lines: () => [...result.lines(), ...warnings.map((text) => `! ${text}`)],
      exit: worstExit([result.exit, warnings.length > 0 ? EXIT.warning : EXIT.ok]),
    } satisfies CommandResult;
  });
}

/** @throws RelightError `operator.invalid` if the servers belong to another operator */
async function checkTrust(app: App, { id, name, keys }: FoundOperator, reference?: string): Promise<readonly string[]> {
  const trust = await (await app.context()).probes.trust();
  const key = keys.find(({ file }) => reference === `file:${file}`)?.publicKey;
  return trust.flatMap(({ server, operators }) => {
    const own = operators.find((operator) => operator.id === id);
    if (own !== undefined)
      return key === undefined || key === id || own.signingKeys.includes(key)
        ? []
        : [`${server} does not trust the signing key ${key} yet: it runs with an older operator JWT`];
    if (operators.length === 0) return [];
    const others = operators.map((operator) => `${operator.name} (${operator.id})`).join(", ");
    throw new RelightError("operator.invalid", `${server} belongs to the operator ${others}, not to ${name} (${id})`);
  });
}
