import { paginateListSecrets, type SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { undecorated } from "../../../domain/claims/jwt-text.ts";
import { isForOthers } from "../../../domain/expiry/expiring-tokens.ts";
import { asRelightError, RelightError } from "../../../errors.ts";
import type { JwtCodec } from "../../../ports/keys.ts";
import type { SourceEntry } from "../../../ports/source.ts";
import { errorName } from "../client-settings.ts";
import { secretsManagerSecrets } from "./secrets-manager.ts";

export interface SecretsManagerClaimsSettings {
  readonly client: SecretsManagerClient;
  /** The prefix of the secrets' names. */
  readonly prefix: string;
  readonly codec: JwtCodec;
  /** Secrets per page; at most 100, which is the default. */
  readonly pageSize?: number;
}

/**
 * Account JWTs in AWS Secrets Manager: the whole text of each secret whose name begins with the prefix. Needs
 * `secretsmanager:ListSecrets` in addition to `GetSecretValue`.
 * @throws RelightError `source.unavailable` if they can't be listed.
 */
export async function* secretsManagerClaims(settings: SecretsManagerClaimsSettings): AsyncIterable<SourceEntry> {
  const { client, codec } = settings;
  const secrets = secretsManagerSecrets(client);
  for await (const name of namesOf(settings)) {
    const place = `aws-sm://${name}`;
    const entry = await secrets.read(place).then(
      (text) => entryOf(place, undecorated(text), codec),
      (thrown: unknown) => problemOf(place, thrown),
    );
    if (entry !== undefined) yield entry;
  }
}

const problemOf = (place: string, thrown: unknown): SourceEntry => ({
  ok: false,
  place,
  problem: asRelightError(thrown).message,
});

/** Undefined for the JWT of an operator or a user, which is no account's. */
function entryOf(place: string, token: string, codec: JwtCodec): SourceEntry | undefined {
  try {
    return { ok: true, place, jwt: codec.decode(token) };
  } catch (thrown) {
    return isForOthers(token) ? undefined : problemOf(place, thrown);
  }
}

async function* namesOf({ client, prefix, pageSize = 100 }: SecretsManagerClaimsSettings): AsyncIterable<string> {
  const filter = { Filters: [{ Key: "name" as const, Values: [prefix] }] };
  try {
    // The service's filter also matches words within the name, case-insensitively.
    for await (const { SecretList } of paginateListSecrets({ client, pageSize }, filter))
      for (const { Name: name } of SecretList ?? []) if (name?.startsWith(prefix)) yield name;
  } catch (cause) {
    const message = `aws-sm-prefix://${prefix} can't be listed: ${errorName(cause)}`;
    throw new RelightError("source.unavailable", message, { cause, details: { prefix } });
  }
}
