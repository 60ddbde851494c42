import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { seedOf } from "../keys.ts";
import type { World } from "../world.ts";
import type { MotoSettings } from "./moto.ts";

/** The secret that signs the issuer's webhooks in the twin. */
export const WEBHOOK_SECRET = `whsec_${Buffer.from("the issuer's secret in the twin").toString("base64")}`;

/** The secret that signs pages. */
const CHANNEL_SECRET = `whsec_${Buffer.from("the pages' secret in the twin").toString("base64")}`;

/** Stores the keys and credentials of the lab's world where the configuration below reads them. */
export async function createSecrets(
  { home, accounts }: Deployed,
  settings: MotoSettings,
): Promise<Readonly<Record<string, string>>> {
  const file = (name: string): Promise<string> => readFile(join(home, name), "utf8");
  const keys = Object.entries(accounts).map(([name, { account }]) => [name, seedOf(account)]);
  const secrets: Readonly<Record<string, string>> = {
    "relight/system": await file("sys.creds"),
    "relight/operator": await file("operator.nk"),
    "relight/accounts": JSON.stringify(Object.fromEntries(keys)),
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

/** What the configuration needs. */
export interface Deployed {
  /** The folder with the keys and credentials of the lab's world. */
  readonly home: string;
  readonly servers: readonly { readonly url: string }[];
  /** By name; each has its own field in the secret `relight/accounts`. */
  readonly accounts: Readonly<Record<string, Pick<World, "account" | "accountId">>>;
  /** The address for pages. */
  readonly pages: string;
  /** Additional lines of relight.yaml. */
  readonly yaml: string;
}

/** The files beside serverless.yml when a team packages it: relight.yaml and the operator JWT, without secrets. */
export async function filesFor(deployed: Deployed): Promise<Readonly<Record<string, string>>> {
  const operator = await readFile(join(deployed.home, "operator.jwt"), "utf8");
  return { "relight.yaml": configurationFor(deployed), "operator.jwt": operator };
}

function configurationFor({ servers, accounts, pages, yaml }: Deployed): string {
  const account = ([name, { accountId }]: [string, { accountId: string }]): string =>
    `  - { id: ${accountId}, name: ${name}, signingKey: "aws-sm://relight/accounts#${name}" }`;
  return `cluster:
  servers: ${JSON.stringify(servers.map(({ url }) => url))}
  systemCredentials: aws-sm://relight/system
operator:
  jwt: file:operator.jwt
  signingKey: aws-sm://relight/operator
policy:
  lifetime: 90d
  renewBefore: 30d
accounts:
${Object.entries(accounts).map(account).join("\n")}
issuerWebhook:
  secrets: ["aws-sm://relight/issuer-webhook"]
escalation:
  - webhook: { url: "${pages}", secret: "aws-sm://relight/channels#webhook" }
${yaml}`;
}
