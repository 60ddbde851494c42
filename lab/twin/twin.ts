import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installMoto } from "../moto.ts";
import type { World } from "../world.ts";
import { createSecrets, filesFor } from "./configuration.ts";
import { type Deployment, deploy, type FunctionProperties, unzip } from "./deploy.ts";
import { type Functions, hostFunctions, type LogLine, type Run } from "./functions.ts";
import { type HttpApi, serveHttpApi } from "./http-api.ts";
import { type JournalEntry, readJournal } from "./journal.ts";
import { type MotoSettings, startMoto } from "./moto.ts";
import { type AwsProxy, startProxy } from "./proxy.ts";
import { pollQueues, type Queues } from "./queues.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type Schedule, schedulesOf } from "./schedules.ts";

/** The folder with the output of `npm run package`. */
export const ARTEFACTS = join(import.meta.dirname, "..", "..", ".serverless");

/**
 * The whole stack on this machine, as it would be deployed: the packaged functions, an emulator instead of AWS, and
 * everything that calls the functions.
 */
export interface Twin extends AsyncDisposable {
  readonly deployment: Deployment;
  /** Settings for direct access to the emulator, without the proxy. */
  readonly settings: MotoSettings;
  /** Records the functions' calls and injects faults. */
  readonly proxy: AwsProxy;
  readonly functions: Functions;
  readonly queues: Queues;
  readonly http: HttpApi;
  readonly schedules: readonly Schedule[];
  /** Receives pages. */
  readonly receiver: Receiver;
  /** The ARN of a secret by its name. */
  secretArn(name: string): string | undefined;
  /** The journal's entries of the account, oldest first. */
  journal(account: string): Promise<readonly JournalEntry[]>;
}

export interface TwinOptions {
  readonly world: World;
  /** The output of `npm run package`; by default {@link ARTEFACTS}. */
  readonly artefacts?: string;
  /** The accounts of relight.yaml by name; by default the world's own, as `APP`. */
  readonly accounts?: Readonly<Record<string, World>>;
  /** Additional lines of relight.yaml. */
  readonly yaml?: string;
  /** Additional environment variables of the functions. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly onRun?: (run: Run) => void;
  readonly onLine?: (line: LogLine) => void;
}

/** @throws Error that says what is missing: Python, moto, or the artifacts. */
export async function startTwin(options: TwinOptions): Promise<Twin> {
  const parts = new AsyncDisposableStack();
  try {
    return await assemble(options, parts);
  } catch (error) {
    await parts.disposeAsync();
    throw error;
  }
}

async function assemble(options: TwinOptions, parts: AsyncDisposableStack): Promise<Twin> {
  const { world, artefacts = ARTEFACTS, accounts = { APP: world }, yaml = "" } = options;
  const folder = await mkdtemp(join(tmpdir(), "relight-twin-"));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  const moto = await startMoto();
  if (!moto.ok) throw new Error(`the twin needs an emulator of AWS: ${moto.missing}`);
  parts.defer(moto.stop);
  const { settings } = moto;
  const deployment = await deploy(artefacts, settings);
  const receiver = parts.use(await startReceiver());
  const deployed = { home: world.home, servers: world.servers, accounts, pages: receiver.url, yaml };
  const secrets = await createSecrets(deployed, settings);
  const proxy = parts.use(await startProxy(settings.endpoint));
  const properties = deployment.stack
    .resources<FunctionProperties>("AWS::Lambda::Function")
    .map((each) => each.properties);
  await unpack({ artefacts, folder, properties, files: await filesFor(deployed) });
  const { environment, onRun, onLine } = options;
  const functions = parts.use(
    hostFunctions({
      proxy,
      properties,
      folder: (name: string) => join(folder, name),
      ...(environment === undefined ? {} : { environment }),
      ...(onRun === undefined ? {} : { onRun }),
      ...(onLine === undefined ? {} : { onLine }),
    }),
  );
  const queues = parts.use(pollQueues(deployment.stack, functions, settings));
  const http = parts.use(await serveHttpApi(deployment.stack, functions));
  return {
    deployment,
    settings,
    proxy,
    functions,
    queues,
    http,
    receiver,
    schedules: schedulesOf(deployment.stack, functions),
    secretArn: (name) => secrets[name],
    journal: (account) => readJournal(deployment.stack, settings, account),
    // The queues wait for running deliveries, so end the functions first.
    [Symbol.asyncDispose]: async () => {
      queues.pause();
      await functions[Symbol.asyncDispose]();
      await parts.disposeAsync();
    },
  };
}

interface Unpacking {
  readonly artefacts: string;
  readonly folder: string;
  readonly properties: readonly FunctionProperties[];
  readonly files: Readonly<Record<string, string>>;
}

/** Unpacks each function into its own folder, with the team's files in its root. */
async function unpack({ artefacts, folder, properties, files }: Unpacking): Promise<void> {
  const installed = await installMoto();
  if (!installed.ok) throw new Error(installed.missing);
  for (const { Code: code } of properties) {
    const name = (code.S3Key.split("/").at(-1) ?? "").replace(/\.zip$/, "");
    await unzip(artefacts, code.S3Key, join(folder, name), installed.python);
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text);
  }
}
