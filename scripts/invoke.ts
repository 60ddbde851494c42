/**
 * Runs a function from its bundle on an event, as Lambda would:
 * `npm run invoke -- sweep events/sweep.schedule.json --config relight.yaml`.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Command } from "commander";
import { Webhook } from "standardwebhooks";

interface Options {
  readonly config: string;
  readonly secretEnv?: string;
}

const command = new Command("invoke")
  .description("run a function from its bundle (npm run build makes it) on an event, as Lambda would")
  .argument("<function>", "sweep, remediate, issuer-webhook or manual")
  .argument("<event>", "a JSON file, such as those in events/")
  .option("-c, --config <file>", "the configuration", "relight.yaml")
  .option("--secret-env <name>", "sign an issuer-webhook event with the secret in this environment variable")
  .action(invoke);

async function invoke(name: string, eventFile: string, { config, secretEnv }: Options): Promise<void> {
  const bundle = join(import.meta.dirname, "..", "dist", "functions", `${name}.mjs`);
  const event = JSON.parse(await readFile(eventFile, "utf8")) as Record<string, unknown>;
  if (secretEnv !== undefined)
    sign(event, process.env[secretEnv] ?? command.error(`${secretEnv} is not set`));
  process.env["RELIGHT_CONFIG"] = resolve(config);
  const { handler } = (await import(pathToFileURL(bundle).href).catch((error: Error) =>
    command.error(
      `cannot load ${bundle}; is ${name} a function, and was \`npm run build\` run? (${error.message})`,
    ),
  )) as { handler: (event: unknown, context: unknown) => Promise<unknown> };
  const context = { awsRequestId: randomUUID(), functionName: name, getRemainingTimeInMillis: () => 180_000 };
  console.log(JSON.stringify(await handler(event, context), null, 2));
}

/** A fresh signature, since an old one would be refused as a replay. */
function sign(event: Record<string, unknown>, secret: string): void {
  const headers = event["headers"] as Record<string, string>;
  const text = String(event["body"]);
  const body = event["isBase64Encoded"] === true ? Buffer.from(text, "base64").toString() : text;
  const id = `msg_${randomUUID()}`;
  const now = new Date();
  headers["webhook-id"] = id;
  headers["webhook-timestamp"] = String(Math.floor(now.getTime() / 1000));
  headers["webhook-signature"] = new Webhook(secret).sign(id, now, body);
}

await command.parseAsync();
