import { randomUUID } from "node:crypto";
import { systemClock } from "../adapters/local/clock.ts";
import type { inProcessJobs } from "../adapters/local/in-process-jobs.ts";
import type { FileIdentity } from "../adapters/local/open-file.ts";
import { checkTls, type Servers } from "../adapters/nats/connection/tls.ts";
import type { Config } from "../config/config.ts";
import type { Operator } from "../domain/claims/operator.ts";
import { defined } from "../domain/time/defined.ts";
import type { JsonObject } from "../domain/time/json.ts";
import { redact, redactText } from "../domain/time/redact.ts";
import type { Millis } from "../domain/time/time.ts";
import { asRelightError, RelightError } from "../errors.ts";
import { resolvePath } from "../files/paths.ts";
import type { Clock } from "../ports/clock.ts";
import type { Jobs } from "../ports/jobs.ts";
import type { Journal } from "../ports/journal.ts";
import type { Signer } from "../ports/keys.ts";
import type { Leases } from "../ports/leases.ts";
import type { Restarter } from "../ports/remedies.ts";
import type { Secrets } from "../ports/secrets.ts";
import type { Context } from "../usecases/context/context.ts";
import type { CredentialRotation } from "../usecases/orders/rotate-credentials.ts";
import { openOnce } from "./open-once.ts";

/** Chooses the adapter for each port from the configuration. */

export type Environment = Readonly<Record<string, string | undefined>>;

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

/**
 * Undo data is stored unredacted, because the redactor would remove an import's activation token (docs/decisions/0006).
 * Code that shows the journal redacts it.
 */
const scrubEntry = ({ claims, memory, undo, ...data }: JsonObject): JsonObject => ({
  ...scrub(data),
  ...defined({ claims, memory, undo }),
});

export type OpenJournal = Journal & Leases & Partial<AsyncDisposable> & { readonly file?: FileIdentity };
export type LocalWork = Pick<Parameters<typeof inProcessJobs>[0], "work" | "onError" | "onQueued" | "parallel">;

/** The servers' addresses and TLS settings, with the secrets of `cluster.tls`. @throws RelightError `secret.*` */
export async function openServers({ servers: addresses, tls }: Config["cluster"], secrets: Secrets): Promise<Servers> {
  if (tls === undefined) return { addresses, tls };
  const { handshakeFirst, ...references } = tls;
  const texts = await Promise.all(
    Object.entries(references).map(async ([field, reference]) => [field, await secrets.read(reference)]),
  );
  return { addresses, tls: checkTls({ ...Object.fromEntries(texts), handshakeFirst }) };
}

/** The signer: a key that Relight reads, or one in KMS. */
export async function openSigner(signingKey: string, secrets: Secrets, operator: Operator): Promise<Signer> {
  if (!signingKey.startsWith("aws-kms:")) {
    const { operatorSigner } = await import("../adapters/nats/jwt/jwt-codec.ts");
    return operatorSigner(await secrets.read(signingKey), operator);
  }
  const { kmsKey } = await import("../adapters/aws/keys/kms-key.ts");
  const { remoteSigner } = await import("../adapters/nats/account/operator-key.ts");
  return remoteSigner(await kmsKey(signingKey), operator);
}

/** What a rotation of the system user's credentials needs. @throws RelightError `rotation.refused` if not configured. */
export async function openRotation(
  { rotation }: Config,
  secrets: Secrets,
  { clock, newId }: { readonly clock: Clock; readonly newId: () => string },
): Promise<Pick<CredentialRotation, "secret" | "mint">> {
  if (rotation === undefined) throw new RelightError("rotation.refused", "rotation.systemSigningKey is not configured");
  const { systemSigningKey, userLifetime: lifetime } = rotation;
  const { rotatingSecret } = await import("../adapters/aws/secrets/rotating-secret.ts");
  const { succeedUser } = await import("../adapters/nats/account/system-user.ts");
  const mint: CredentialRotation["mint"] = async (current) =>
    succeedUser(current, {
      signingKey: await secrets.read(systemSigningKey),
      id: newId(),
      now: clock.now(),
      ...defined({ lifetime }),
    });
  return { secret: rotatingSecret(), mint };
}

export async function openJobs(config: Config, local: LocalWork): Promise<Jobs> {
  if (config.queue === "in-process") {
    const { inProcessJobs } = await import("../adapters/local/in-process-jobs.ts");
    return inProcessJobs(local);
  }
  return queuedJobs(config.queue.slice("sqs:".length));
}

/** Jobs in SQS, whose client is opened at the first of them: what works on a job seldom queues another. */
function queuedJobs(queueUrl: string): Jobs {
  const open = openOnce(async () => {
    const { sqsClient, sqsJobs } = await import("../adapters/aws/queue/sqs-jobs.ts");
    return sqsJobs({ queueUrl, client: sqsClient() });
  });
  return {
    enqueue: async (job) => (await open()).enqueue(job),
    enqueueAll: async (jobs) => (await open()).enqueueAll(jobs),
    waiting: async () => (await open()).waiting(),
    drain: async () => {},
  };
}

/** @param file the one that this process opened before, if it did */
export async function openJournal(config: Config, file?: FileIdentity): Promise<OpenJournal> {
  const [, kind, place = ""] = /^(\w+):(.+)$/.exec(config.journal) ?? [];
  const shared = { clock: systemClock, scrub: scrubEntry, keeps: config.journalKeeps };
  if (kind === "sqlite") {
    const { sqliteJournal } = await import("../adapters/local/sqlite-journal.ts");
    return sqliteJournal({ path: resolvePath(config.baseDir, place), file, ...shared });
  }
  const { documentClient, dynamoDbJournal } = await import("../adapters/aws/journal/dynamodb-journal.ts");
  return dynamoDbJournal({ table: place, client: documentClient(), ...shared });
}

/** A read-only journal. A run that writes nothing needs no lease. */
export function unwritten(journal: OpenJournal): OpenJournal {
  return {
    ...defined({ file: journal.file }),
    append: async () => undefined,
    read: (query) => journal.read(query),
    accounts: () => journal.accounts(),
    latest: (accounts) => journal.latest(accounts),
    acquire: async () => true,
    heldUntil: (key) => journal.heldUntil(key),
    release: async () => undefined,
    [Symbol.asyncDispose]: async () => journal[Symbol.asyncDispose]?.(),
  };
}

/** How long a restart may take after the request, until the server is back and everything works; milliseconds. */
const RESTART_TAKES = 300_000;

/** Refuses to start a restart without enough time, because an interrupted one blocks restarts until a person confirms. */
function mayRestart(
  { restart }: Pick<Config, "restart">,
  lasts: Millis | undefined,
): { whyNoRestart: string } | undefined {
  if (restart === undefined || lasts === undefined || lasts >= restart.timeout + RESTART_TAKES) return undefined;
  const why = `a restart may take longer than the ${Math.round(lasts / 1000)} s that this function can run`;
  return { whyNoRestart: `${why}; run \`relight heal\` on a machine instead` };
}

/** The restarter, or why it must not be used although it is configured. */
export interface Restarts {
  readonly restarts: Pick<Context, "restarter" | "whyNoRestart">;
  /** Opens the restarter now instead of at the first restart. @throws RelightError `secret.*`, `config.invalid` */
  open(): Promise<unknown>;
}

export function restartsAsNeeded(
  { restart }: Config,
  secrets: Secrets,
  env: Environment,
  lasts: Millis | undefined,
): Restarts {
  const reason = mayRestart({ restart }, lasts);
  if (restart === undefined || reason !== undefined) return { restarts: reason ?? {}, open: async () => {} };
  const open = openOnce(() => openRestarter(restart, secrets, env));
  const byNeed = async (server: RestartedServer): Promise<void> => (await open().catch(notBegun)).restart(server);
  return { restarts: { restarter: { restart: byNeed } }, open };
}

type RestartedServer = Parameters<Restarter["restart"]>[0];

/** The restart did not begin, so no person needs to check a server. */
function notBegun(cause: unknown): never {
  const { code, message } = asRelightError(cause);
  const details = { begun: false, reason: code };
  throw new RelightError("restart.failed", `the restarter can't be opened: ${message}`, {
    details,
    cause,
  });
}

async function openRestarter(
  { command, environment: passes, webhook, kubernetes, timeout }: NonNullable<Config["restart"]>,
  secrets: Secrets,
  env: Environment,
): Promise<Restarter> {
  if (command !== undefined) {
    const { commandRestarter } = await import("../adapters/restart/command.ts");
    return commandRestarter({ command, timeout, env, redactText, ...defined({ passes }) });
  }
  if (webhook !== undefined) {
    const { webhookRestarter } = await import("../adapters/restart/webhook.ts");
    const secret = await secrets.read(webhook.secret);
    return webhookRestarter({ url: webhook.url, secret, timeout, clock: systemClock, newId: randomUUID });
  }
  if (kubernetes === undefined) throw new RelightError("config.invalid", "restart is empty");
  const { kubeconfig: reference, ...place } = kubernetes;
  const kubeconfig = reference === undefined ? {} : { kubeconfig: await secrets.read(reference) };
  const { kubernetesRestarter } = await import("../adapters/restart/kubernetes.ts");
  return kubernetesRestarter({ ...place, ...kubeconfig, timeout, env, redactText });
}
