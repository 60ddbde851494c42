import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { KeptTexts } from "../adapters/aws/secrets/secrets-manager.ts";
import { systemClock } from "../adapters/local/clock.ts";
import { envSecrets, fileSecrets } from "../adapters/local/secrets.ts";
import type { Config } from "../config/config.ts";
import { contextCredentials } from "../config/nats-context.ts";
import { type Millis, millis } from "../domain/time/time.ts";
import { asRelightError, type ErrorCode, RelightError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
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
  /** What earlier runs in this process read of some secrets in AWS Secrets Manager; by default nothing. */
  readonly kept?: { readonly secrets: KeptSecrets; readonly references: readonly string[] } | undefined;
}

/** Secrets that outlive a run, because a warm function runs many times in a minute. Each process has its own. */
export interface KeptSecrets {
  /** Undefined if it is not kept, or was read too long ago. */
  get(name: string): string | undefined;
  put(name: string, text: string): void;
  drop(name: string): void;
}

/** A secret that was rotated is read again after this, or at the first refusal. */
const KEPT_FOR = millis(5 * 60_000);

export function keptSecrets(clock: Pick<Clock, "monotonic"> = systemClock, keptFor: Millis = KEPT_FOR): KeptSecrets {
  const texts = new Map<string, { readonly text: string; readonly at: number }>();
  return {
    get: (name) => {
      const known = texts.get(name);
      return known !== undefined && clock.monotonic() - known.at < keptFor ? known.text : undefined;
    },
    put: (name, text) => void texts.set(name, { text, at: clock.monotonic() }),
    drop: (name) => void texts.delete(name),
  };
}

/**
 * The system user and the accounts' keys, which every check needs, and which servers refuse once they are no longer valid.
 * What signs, pages or restarts is read by each run: a stale one would do harm, or be noticed too late.
 */
export function keptOf(
  { cluster, accounts }: Pick<Config, "cluster" | "accounts">,
  secrets: KeptSecrets | undefined,
): SecretsSettings["kept"] {
  const keys = accounts.flatMap(({ signingKey }) => signingKey ?? []);
  return secrets && { secrets, references: [cluster.systemCredentials, ...keys] };
}

/** What servers answer to a user or key that is no longer valid. */
const REFUSED: readonly ErrorCode[] = ["nats.unauthorized", "nats.not_system_account", "secret.malformed"];

/** Works with secrets; if they are refused and an earlier run had read them, once more with what the store has now. */
export async function withCurrent<T>(secrets: Secrets, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!REFUSED.includes(asRelightError(thrown).code) || secrets.renew?.() !== true) throw thrown;
    return work();
  }
}

/**
 * Reads all kinds of secret references, each once in the lifetime of this object. Create one per run, so the next run sees
 * a rotated secret, unless it is kept. Concurrent reads share one request; a failed read is retried at the next call.
 */
export function createSecrets(settings: SecretsSettings): Secrets {
  const texts = textsOf(settings.kept);
  const open = stores(settings, texts);
  const { read, forget } = cached(async (reference) => {
    const store = await open(reference);
    const value = await store.read(reference);
    if (value.trim() === "") throw new RelightError("secret.malformed", `${reference} is empty`);
    return value;
  });
  const renew = (): boolean => {
    forget();
    return texts.renew();
  };
  return { read, renew };
}

/** The kept texts as one run uses them. */
function textsOf(kept: SecretsSettings["kept"]): KeptTexts & { readonly renew: () => boolean } {
  const used = new Set<string>();
  const names = new Set(kept?.references.map((reference) => /^aws-sm:\/\/([^#]+)/.exec(reference)?.[1]));
  return {
    read: async (name, fetch) => {
      if (kept === undefined || !names.has(name)) return fetch();
      const known = kept.secrets.get(name);
      if (known !== undefined) {
        used.add(name);
        return known;
      }
      const text = await fetch();
      kept.secrets.put(name, text);
      return text;
    },
    renew: () => {
      const isAny = used.size > 0;
      for (const name of used) kept?.secrets.drop(name);
      used.clear();
      return isAny;
    },
  };
}

function stores(
  { baseDir, env, onExposed, secretsManager }: SecretsSettings,
  kept: KeptTexts,
): (reference: string) => Promise<Secrets> {
  const files = fileSecrets(baseDir, onExposed);
  const environment = envSecrets(env);
  let aws: Promise<Secrets> | undefined;
  return async (reference) => {
    if (reference.startsWith("file:")) return files;
    if (reference.startsWith("env:")) return environment;
    if (reference.startsWith("nats-context:")) return contextSecrets(env);
    if (reference.startsWith("aws-sm://")) {
      aws ??= openSecretsManager(secretsManager, kept);
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
async function openSecretsManager(makeClient: SecretsSettings["secretsManager"], kept: KeptTexts): Promise<Secrets> {
  const { secretsManagerClient, secretsManagerSecrets } = await import("../adapters/aws/secrets/secrets-manager.ts");
  return secretsManagerSecrets(makeClient?.() ?? secretsManagerClient(), kept);
}

function cached(read: Secrets["read"]): Pick<Secrets, "read"> & { readonly forget: () => void } {
  const reads = new Map<string, Promise<string>>();
  return {
    forget: () => reads.clear(),
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
