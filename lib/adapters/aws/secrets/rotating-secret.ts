import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { type ErrorCode, RelightError } from "../../../errors.ts";
import type { RotatingSecret } from "../../../ports/secrets.ts";
import { errorName } from "../client-settings.ts";
import { secretsManagerClient } from "./secrets-manager.ts";

const NOT_FOUND = "ResourceNotFoundException";
/** Errors that a retry cannot fix; all others are `secret.unavailable`. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  [NOT_FOUND]: "secret.not_found",
  InvalidRequestException: "rotation.refused",
  InvalidParameterException: "rotation.refused",
  ResourceExistsException: "rotation.refused",
};

/** The versions of a secret in AWS Secrets Manager, for its rotation. */
export function rotatingSecret(client: SecretsManagerClient = secretsManagerClient()): RotatingSecret {
  async function send<T>(secret: string, request: Promise<T>): Promise<T> {
    return request.catch((cause: unknown) => {
      const reason = errorName(cause);
      const code = CODES[reason] ?? "secret.unavailable";
      const details = { name: secret, reason };
      throw new RelightError(code, `${secret} can't be rotated: ${reason}`, { cause, details });
    });
  }

  const textOf = async (SecretId: string, which: { VersionId?: string; VersionStage: string }) =>
    (await client.send(new GetSecretValueCommand({ SecretId, ...which }))).SecretString;

  return {
    describe: async (SecretId) => {
      const answer = await send(SecretId, client.send(new DescribeSecretCommand({ SecretId })));
      const { Name = "", RotationEnabled, VersionIdsToStages } = answer;
      const stages = new Map(Object.entries(VersionIdsToStages ?? {}));
      return { name: Name, rotationEnabled: RotationEnabled === true, stages };
    },
    current: async (SecretId) => {
      const text = await send(SecretId, textOf(SecretId, { VersionStage: "AWSCURRENT" }));
      if (text !== undefined) return text;
      throw new RelightError("secret.malformed", `${SecretId} is binary, not text`);
    },
    pending: async (SecretId, VersionId) => {
      const request = textOf(SecretId, { VersionId, VersionStage: "AWSPENDING" }).catch((cause: unknown) => {
        // The label exists from the start; the first step adds the value.
        if (errorName(cause) === NOT_FOUND) return undefined;
        throw cause;
      });
      return send(SecretId, request);
    },
    putPending: async (SecretId, ClientRequestToken, SecretString) => {
      const order = { SecretId, ClientRequestToken, SecretString, VersionStages: ["AWSPENDING"] };
      await send(SecretId, client.send(new PutSecretValueCommand(order)));
    },
    promote: async (SecretId, MoveToVersionId, RemoveFromVersionId) => {
      const order = { SecretId, VersionStage: "AWSCURRENT", MoveToVersionId, RemoveFromVersionId };
      await send(SecretId, client.send(new UpdateSecretVersionStageCommand(order)));
    },
  };
}
