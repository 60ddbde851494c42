import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { World } from "../world.ts";
import type { MotoSettings } from "./moto.ts";

/** What signs the issuer's webhooks in the twin. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from("the issuer's secret in the twin").toString("base64")}`;

/** What signs the pages. */
const CHANNEL_SECRET = `whsec_${Buffer.from("the pages' secret in the twin").toString("base64")}`;

/** Puts the keys and credentials of the lab's world where the configuration below looks for them. */
export async function createSecrets(
  world: World,
  settings: MotoSettings,
): Promise<Readonly<Record<string, string>>> {
  const file = (name: string): Promise<string> => readFile(join(world.home, name), "utf8");
  const secrets: Readonly<Record<string, string>> = {
    "relight/system": await file("sys.creds"),
    "relight/operator": await file("operator.nk"),
    "relight/accounts": JSON.stringify({ APP: await file("app.nk") }),
    "relight/issuer-webhook": WEBHOOK_SECRET,
    "relight/channels": JSON.stringify({ webhook: CHANNEL_SECRET }),
  };
  const client = new SecretsManagerClient(settings);
  const arns: Record<string, string> = {};
  for (const [Name, SecretString] of Object.entries(secrets)) {
    const { ARN } = await client.send(new CreateSecretCommand({ Name, SecretString }));
    arns[Name] = String(ARN);
  }
  client.destroy();
  return arns;
}

/** What lies beside serverless.yml when a team packages it: relight.yaml and the operator's JWT, no secret. */
export async function filesFor(
  world: World,
  pages: string,
  more?: string,
): Promise<Readonly<Record<string, string>>> {
  const operator = await readFile(join(world.home, "operator.jwt"), "utf8");
  return { "relight.yaml": configurationFor(world, pages, more), "operator.jwt": operator };
}

function configurationFor(world: World, pages: string, more = ""): string {
  return `cluster:
  servers: ${JSON.stringify(world.servers.map(({ url }) => url))}
  systemCredentials: aws-sm://relight/system
operator:
  jwt: file:operator.jwt
  signingKey: aws-sm://relight/operator
policy:
  lifetime: 90d
  renewBefore: 30d
accounts:
  - id: ${world.accountId}
    name: APP
    signingKey: aws-sm://relight/accounts#APP
issuerWebhook:
  secrets: ["aws-sm://relight/issuer-webhook"]
escalation:
  - webhook: { url: "${pages}", secret: "aws-sm://relight/channels#webhook" }
${more}`;
}
