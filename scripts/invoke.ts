/**
 * Runs a function from its bundle on an event, as Lambda would:
 * `npm run invoke -- sweep events/sweep.schedule.json --config relight.yaml`.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Argument, Command } from "commander";
import { Webhook } from "standardwebhooks";

interface Options {
  readonly config: string;
  readonly account?: string;
  readonly secretEnv?: string;
}

type Event = Record<string, unknown>;
type Handler = (event: unknown, context: unknown) => Promise<unknown>;

const FUNCTIONS = ["sweep", "remediate", "issuer-webhook", "manual", "rotate-credentials", "escalate", "api"];
/** The account of the events in events/. */
const PLACEHOLDER = /A{56}/g;
/** Milliseconds; the timeout in serverless.yml of functions that work on an account. */
const TIMEOUT = 180_000;

const command = new Command("invoke")
  .description("run a function from its bundle (from npm run build) with an event, as Lambda would")
  .addArgument(new Argument("<function>", "the function").choices(FUNCTIONS))
  .argument("<event>", "a JSON file, such as those in events/")
  .option("-c, --config <file>", "the configuration", "relight.yaml")
  .option("-a, --account <id>", "the account that replaces the placeholder in an event of events/")
  .option("--secret-env <name>", "sign an issuer-webhook event with the secret in this environment variable")
  .action(invoke);

async function invoke(name: string, eventFile: string, options: Options): Promise<void> {
  const handler = await loadHandler(name);
  const event = fill(await readEvent(eventFile), options.account);
  if (options.secretEnv !== undefined) sign(name, event, options.secretEnv);
  process.env["RELIGHT_CONFIG"] = resolve(options.config);
  const { answer, failed } = await handler(event, contextOf(name)).then(
    (answer) => ({ answer, failed: false }),
    ({ name: errorType, message }: Error) => ({ answer: { errorType, errorMessage: message }, failed: true }),
  );
  console.log(JSON.stringify(answer, null, 2));
  if (failed) process.exitCode = 1;
}

async function loadHandler(name: string): Promise<Handler> {
  const bundle = join(import.meta.dirname, "..", "dist", "functions", `${name}.mjs`);
  if (!existsSync(bundle)) command.error(`${bundle} does not exist; run \`npm run build\``);
  const { handler } = (await import(pathToFileURL(bundle).href)) as { handler: Handler };
  return handler;
}

async function readEvent(file: string): Promise<Event> {
  const text = await readFile(file, "utf8").catch(({ message }: Error) =>
    command.error(`cannot read the event: ${message}`),
  );
  try {
    return JSON.parse(text);
  } catch {
    return command.error(`the event ${file} is not JSON`);
  }
}

/** The event with the account instead of the placeholder, also in an encoded body. */
function fill(event: Event, account: string | undefined): Event {
  if (account === undefined) return event;
  const filled = JSON.parse(JSON.stringify(event).replace(PLACEHOLDER, account)) as Event;
  if (filled["isBase64Encoded"] !== true) return filled;
  const body = bodyOf(filled).replace(PLACEHOLDER, account);
  return { ...filled, body: Buffer.from(body).toString("base64") };
}

function bodyOf({ body, isBase64Encoded }: Event): string {
  return isBase64Encoded === true ? Buffer.from(String(body), "base64").toString() : String(body);
}

/** Signs now, because an old signature would be refused as a replay. */
function sign(name: string, event: Event, variable: string): void {
  if (name !== "issuer-webhook") command.error("--secret-env works only with issuer-webhook");
  const secret = process.env[variable] || command.error(`${variable} is not set`);
  const id = `msg_${randomUUID()}`;
  const now = new Date();
  Object.assign(event["headers"] as object, {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, now, bodyOf(event)),
  });
}

function contextOf(name: string) {
  const started = Date.now();
  return {
    awsRequestId: randomUUID(),
    functionName: name,
    functionVersion: "$LATEST",
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:123456789012:function:${name}`,
    memoryLimitInMB: "512",
    getRemainingTimeInMillis: () => Math.max(0, started + TIMEOUT - Date.now()),
  };
}

await command.parseAsync();
