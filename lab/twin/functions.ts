import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { FunctionProperties } from "./deploy.ts";
import type { AwsProxy } from "./proxy.ts";
import type { Invocation, Outcome } from "./runtime.ts";
import { ACCOUNT, REGION } from "./template.ts";

const RUNTIME = join(import.meta.dirname, "runtime.ts");
/** With more room for new objects a process that soon ends collects no garbage, a fifth of its start's CPU time. */
const FLAGS = ["--disable-warning=ExperimentalWarning", "--min-semi-space-size=16"];
/** Lambda's own defaults. */
const TIMEOUT = 3;
const MEMORY = 128;

/** How an invocation ended. `killed`: the process crashed, or a test killed it. */
export type End =
  | { readonly kind: "answered"; readonly answer: unknown }
  | { readonly kind: "failed"; readonly errorType: string; readonly errorMessage: string }
  | { readonly kind: "killed" }
  | { readonly kind: "timed out" }
  /** Beyond its reserved concurrency. */
  | { readonly kind: "throttled" };

/** One run of a function. */
export interface Run {
  readonly function: string;
  /** Lambda's request id. */
  readonly request: string;
  readonly started: number;
  readonly end: Promise<End>;
  /** Kills the process at once, as if the host failed. */
  kill(): void;
}

/** The functions of the stack. Each invocation is a new process, that is, a cold start. */
export interface Functions extends AsyncDisposable {
  /** The names in the stack: `sweep`, `remediate`, … */
  readonly names: readonly string[];
  /** The function's properties in the template. */
  properties(name: string): FunctionProperties;
  /** The short name of a function, given its name or ARN. */
  nameOf(reference: string): string;
  invoke(name: string, event: unknown): Run;
  /** All runs so far, oldest first; the list grows. */
  readonly runs: readonly Run[];
  /** All log lines of the functions, oldest first; the list grows. */
  readonly lines: readonly LogLine[];
}

export interface LogLine {
  readonly function: string;
  readonly request: string;
  readonly text: string;
}

export interface FunctionsOptions {
  readonly proxy: AwsProxy;
  readonly properties: readonly FunctionProperties[];
  /** The folder of a function's unpacked zip. */
  readonly folder: (name: string) => string;
  /** Called for each event as it happens. */
  readonly onRun?: (run: Run) => void;
  readonly onLine?: (line: LogLine) => void;
  /** Additional environment variables, such as the log level. */
  readonly environment?: Readonly<Record<string, string>>;
}

export function hostFunctions(options: FunctionsOptions): Functions {
  const byName = new Map(options.properties.map((each) => [shortName(each), each]));
  const host: Host = { ...options, children: new Map(), runs: [], lines: [] };
  const properties = (name: string): FunctionProperties => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`the stack has no function ${name}`);
    return found;
  };
  return {
    names: [...byName.keys()],
    properties,
    runs: host.runs,
    lines: host.lines,
    nameOf: (reference) => {
      const [, name = reference] = /:function:([^:]+)/.exec(reference) ?? [];
      const found = [...byName].find(([, { FunctionName }]) => FunctionName === name);
      if (found === undefined) throw new Error(`the stack has no function ${reference}`);
      return found[0];
    },
    invoke: (name, event) => invoke(host, name, properties(name), event),
    [Symbol.asyncDispose]: async () => {
      const ends = host.runs.map(({ end }) => end);
      for (const child of host.children.keys()) child.kill("SIGKILL");
      await Promise.all(ends);
    },
  };
}

/** `dist/functions/issuer-webhook.handler` → `issuer-webhook`, its name in the stack. */
function shortName({ Handler }: FunctionProperties): string {
  return (Handler.split("/").at(-1) ?? Handler).replace(/\.[^.]+$/, "");
}

interface Host extends FunctionsOptions {
  readonly children: Map<ChildProcess, string>;
  readonly runs: Run[];
  readonly lines: LogLine[];
}

function invoke(host: Host, name: string, properties: FunctionProperties, event: unknown): Run {
  const request = randomUUID();
  const started = Date.now();
  const most = properties.ReservedConcurrentExecutions ?? Number.POSITIVE_INFINITY;
  const running = [...host.children.values()].filter((other) => other === name).length;
  if (running >= most)
    return remember(host, {
      function: name,
      request,
      started,
      kill: () => {},
      end: Promise.resolve({ kind: "throttled" }),
    });
  const child = startProcess(host, name, properties, request);
  const end = settle(host, child, (properties.Timeout ?? TIMEOUT) * 1000);
  child.send(invocationOf(properties, request, started, event));
  return remember(host, { function: name, request, started, end, kill: () => child.kill("SIGKILL") });
}

function remember(host: Host, run: Run): Run {
  host.runs.push(run);
  host.onRun?.(run);
  return run;
}

function startProcess(host: Host, name: string, properties: FunctionProperties, request: string): ChildProcess {
  // An access key per invocation, by which the proxy identifies the caller.
  const key = `TWIN${request.replaceAll("-", "").slice(0, 16).toUpperCase()}`;
  host.proxy.introduce(key, { name, request });
  const child = spawn(process.execPath, [...FLAGS, RUNTIME], {
    cwd: host.folder(name),
    env: { ...environmentOf(host, properties), AWS_ACCESS_KEY_ID: key },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  host.children.set(child, name);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (text) => {
      const line = { function: name, request, text };
      host.lines.push(line);
      host.onLine?.(line);
    });
  }
  return child;
}

/** The environment that Lambda gives a function, without this machine's own. */
function environmentOf({ proxy, environment, folder }: Host, properties: FunctionProperties) {
  const { FunctionName, MemorySize = MEMORY } = properties;
  return {
    PATH: process.env["PATH"] ?? "",
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
    TZ: ":UTC",
    LANG: "en_US.UTF-8",
    LAMBDA_TASK_ROOT: folder(shortName(properties)),
    AWS_LAMBDA_FUNCTION_NAME: FunctionName,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MemorySize),
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${FunctionName}`,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_SECRET_ACCESS_KEY: "twin",
    AWS_SESSION_TOKEN: "twin",
    AWS_ENDPOINT_URL: proxy.url,
    // Do not use this machine's instance profile.
    AWS_EC2_METADATA_DISABLED: "true",
    ...variablesOf(properties, proxy.url),
    ...environment,
  };
}

/** Replaces the host of queue URLs, because the SDK sends to that host, whatever the endpoint. */
function variablesOf({ Environment }: FunctionProperties, url: string): Readonly<Record<string, string>> {
  const queues = `https://sqs.${REGION}.amazonaws.com`;
  return Object.fromEntries(
    Object.entries(Environment?.Variables ?? {}).map(([name, value]) => [name, String(value).replaceAll(queues, url)]),
  );
}

function invocationOf(
  { FunctionName, MemorySize = MEMORY, Timeout = TIMEOUT, Handler }: FunctionProperties,
  request: string,
  started: number,
  event: unknown,
): Invocation {
  const arn = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${FunctionName}`;
  const context = {
    awsRequestId: request,
    functionName: FunctionName,
    functionVersion: "$LATEST",
    invokedFunctionArn: arn,
    memoryLimitInMB: String(MemorySize),
    logGroupName: `/aws/lambda/${FunctionName}`,
    logStreamName: "twin",
    callbackWaitsForEmptyEventLoop: true,
  };
  return { event, context, handler: Handler, deadline: started + Timeout * 1000 };
}

/** Waits for the answer, the end of the process, or the timeout, whichever comes first. */
function settle(host: Host, child: ChildProcess, timeout: number): Promise<End> {
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    child.kill("SIGKILL");
  }, timeout);
  let outcome: Outcome | undefined;
  child.once("message", (message) => {
    outcome = message as Outcome;
  });
  // `close` instead of `exit`, because then all its output has been read.
  return new Promise((done) =>
    child
      .on("error", () => {})
      .once("close", () => {
        clearTimeout(timer);
        host.children.delete(child);
        done(endOf(outcome, isOver));
      }),
  );
}

function endOf(outcome: Outcome | undefined, isOver: boolean): End {
  if (outcome?.ok === true) return { kind: "answered", answer: outcome.answer };
  if (outcome !== undefined) {
    const { errorType, errorMessage } = outcome;
    return { kind: "failed", errorType, errorMessage };
  }
  return { kind: isOver ? "timed out" : "killed" };
}
