import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { envSecrets, fileSecrets } from "../adapters/local/secrets.ts";
import { contextCredentials } from "../config/nats-context.ts";
import { RelightError } from "../errors.ts";
import type { Secrets } from "../ports/secrets.ts";

export interface SecretsSettings {
  /** The folder that relative `file:` references start from. */
  readonly baseDir: string;
  /** The environment that `env:` references read, usually `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears of each key that every user of this machine can read. */
  readonly onExposed?: (path: string) => void;
  /** Creates the client for `aws-sm:` references at first use; by default from the environment. */
  readonly secretsManager?: () => SecretsManagerClient;
}

/**
 * Reads all kinds of secret references, each once in the lifetime of this object. Create one per run, so the next run sees
 * a rotated secret. Concurrent reads share one request; a failed read is retried at the next call.
 */
export function createSecrets(settings: SecretsSettings): Secrets {
  const open = stores(settings);
  return cached(async (reference) => {
    const store = await open(reference);
    const value = await store.read(reference);
    if (value.trim() === "") throw new RelightError("secret.malformed", `${reference} is empty`);
    return value;
  });
}

function stores({ baseDir, env, onExposed, secretsManager }: SecretsSettings): (reference: string) => Promise<Secrets> {
  const files = fileSecrets(baseDir, onExposed);
  const environment = envSecrets(env);
  let aws: Promise<Secrets> | undefined;
  return async (reference) => {
    if (reference.startsWith("file:")) return files;
    if (reference.startsWith("env:")) return environment;
    if (reference.startsWith("nats-context:")) return contextSecrets(env);
    if (reference.startsWith("aws-sm://")) {
      aws ??= openSecretsManager(secretsManager);
      return aws;
    }
    // A reference without a known scheme may be the secret itself, so do not repeat it.
    throw new RelightError("secret.invalid_reference", "a secret reference begins with file:, env: or aws-sm://");
  };
}

/** The user in a context of the `nats` command: `nats-context:PATH`. */
function contextSecrets(env: SecretsSettings["env"]): Secrets {
  return {
    read: async (reference) => {
      try {
        return contextCredentials(reference.slice("nats-context:".length), env);
      } catch (cause) {
        throw new RelightError("secret.malformed", (cause as Error).message, { cause });
      }
    },
  };
}

/** Imports the AWS SDK only if it is needed. */
async function openSecretsManager(makeClient: SecretsSettings["secretsManager"]): Promise<Secrets> {
  const { secretsManagerClient, secretsManagerSecrets } = await import("../adapters/aws/secrets/secrets-manager.ts");
  return secretsManagerSecrets(makeClient?.() ?? secretsManagerClient());
}

function cached(read: Secrets["read"]): Secrets {
  const reads = new Map<string, Promise<string>>();
  return {
    read: (reference) => {
      const known = reads.get(reference);
      if (known !== undefined) return known;
      const fresh = read(reference);
      reads.set(reference, fresh);
      fresh.catch(() => reads.delete(reference));
      return fresh;
    },
  };
}
