import {
  GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { parseJsonObject } from "../../../domain/time/json.ts";
import { type ErrorCode, RelightError } from "../../../errors.ts";
import type { Secrets } from "../../../ports/secrets.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";

const REFERENCE = /^aws-sm:\/\/([^#]+)(?:#(.+))?$/;

/** Error codes for AWS errors; all others (throttling, network, permissions) are `secret.unavailable`. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  ResourceNotFoundException: "secret.not_found",
  // Scheduled for deletion: it still exists but can't be read.
  InvalidRequestException: "secret.not_found",
  InvalidParameterException: "secret.invalid_reference",
  ValidationException: "secret.invalid_reference",
};

export const secretsManagerClient = (): SecretsManagerClient => new SecretsManagerClient(CLIENT_SETTINGS);

/** What earlier runs in this process read, by the name of the secret. */
export interface KeptTexts {
  /** What is kept, or else what `fetch` reads. */
  read(name: string, fetch: () => Promise<string>): Promise<string>;
}

const NOTHING_KEPT: KeptTexts = { read: (_name, fetch) => fetch() };

/**
 * Secrets in AWS Secrets Manager: `aws-sm://NAME` is the whole text, `aws-sm://NAME#FIELD` a text field of a JSON object.
 * NAME may contain slashes or be an ARN. Reads only the current version (`AWSCURRENT`), because one in rotation
 * (`AWSPENDING`) does not work yet.
 */
export function secretsManagerSecrets(client: SecretsManagerClient, kept = NOTHING_KEPT): Secrets {
  return {
    read: async (reference) => {
      const [, name, field] = REFERENCE.exec(reference) ?? [];
      if (name === undefined)
        throw new RelightError("secret.invalid_reference", `${reference} is not aws-sm://NAME#FIELD`);
      const text = await kept.read(name, async () => textOf(await fetchCurrent(client, name, reference), reference));
      return field === undefined ? text : fieldOf(text, field, reference);
    },
  };
}

async function fetchCurrent(
  client: SecretsManagerClient,
  name: string,
  reference: string,
): Promise<GetSecretValueCommandOutput> {
  const command = new GetSecretValueCommand({ SecretId: name, VersionStage: "AWSCURRENT" });
  const answer = await client.send(command).catch((cause: unknown) => {
    throw awsError(reference, cause);
  });
  if (answer.VersionStages?.includes("AWSCURRENT") === true) return answer;
  const message = `${reference}: the store returned a version that is not AWSCURRENT`;
  throw new RelightError("secret.unavailable", message, { details: { reference } });
}

function textOf({ SecretString, SecretBinary }: GetSecretValueCommandOutput, reference: string): string {
  if (SecretString !== undefined) return SecretString;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(SecretBinary ?? new Uint8Array());
  } catch {
    throw malformed(reference, "is binary, not text");
  }
}

function fieldOf(text: string, field: string, reference: string): string {
  const value = parseJsonObject(text);
  if (value === undefined) throw malformed(reference, "is not a JSON object, so it has no fields");
  const found = Object.hasOwn(value, field) ? value[field] : undefined;
  if (typeof found !== "string") throw malformed(reference, "has no text field with that name");
  return found;
}

function malformed(reference: string, problem: string): RelightError {
  return new RelightError("secret.malformed", `${reference} ${problem}`, { details: { reference } });
}

function awsError(reference: string, cause: unknown): RelightError {
  const reason = errorName(cause);
  const message = `${reference} can't be read: ${reason}`;
  const code = CODES[reason] ?? "secret.unavailable";
  return new RelightError(code, message, { cause, details: { reference, reason } });
}
