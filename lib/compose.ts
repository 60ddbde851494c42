import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { fanOutEscalation } from "./adapters/escalation/fan-out.ts";
import { webhookEscalation } from "./adapters/escalation/webhook.ts";
import { type SignedRequest, verifySignature } from "./adapters/issuer/standard-webhooks.ts";
import { systemClock } from "./adapters/local/clock.ts";
import { inProcessJobs } from "./adapters/local/in-process-jobs.ts";
import { httpMonitoring } from "./adapters/local/monitoring.ts";
import { sqliteJournal } from "./adapters/local/sqlite-journal.ts";
import { serverCertificates } from "./adapters/nats/certificates.ts";
import { openCluster } from "./adapters/nats/cluster.ts";
import { openEvents } from "./adapters/nats/events.ts";
import { jwtCodec, operatorSigner, parseOperator } from "./adapters/nats/jwt-codec.ts";
import { commandRestarter } from "./adapters/restart/command.ts";
import { webhookRestarter } from "./adapters/restart/webhook.ts";
import { createSecrets } from "./adapters/secrets.ts";
import { type Config, loadConfig } from "./config.ts";
import { type AccountId, isAccountId } from "./domain/account.ts";
import type { Expiring } from "./domain/expiring.ts";
import type { JsonObject } from "./domain/json.ts";
import { policiesOf } from "./domain/policy-match.ts";
import { asRelightError, RelightError } from "./errors.ts";
import { redact, redactText } from "./log.ts";
import type {
  Cluster,
  Escalation,
  Job,
  Jobs,
  Journal,
  Leases,
  Log,
  Monitoring,
  Restarter,
  Secrets,
  Trigger,
} from "./ports.ts";
import { type Acceptance, acceptDelivery, type Delivery } from "./usecases/accept-delivery.ts";
import type { Context } from "./usecases/context.ts";
import { escalate, type Pager } from "./usecases/escalate.ts";
import { type ExpirySources, findExpiries, watchExpiries } from "./usecases/expiries.ts";
import { type Ends, endsOf, onFreshRuns } from "./usecases/fresh-runs.ts";
import { type Remediation, remediate } from "./usecases/remediate.ts";
import { type Sweep, sweep } from "./usecases/sweep.ts";
import { type JobEnd, type Watching, watch } from "./usecases/watch.ts";

export interface AppOptions {
  readonly configFile: string;
  readonly log: Log;
  readonly signal?: AbortSignal;
  /** The environment that `env:` references are read from. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A sweep, and what came of the jobs that ran in this very process. */
export interface SweepReport extends Sweep, Ends {}

/** Relight put together for one run. Dispose it: it holds a connection and the journal. */
export interface App extends AsyncDisposable {
  readonly log: Log;
  readonly journal: Journal;
  /** The accounts that the configuration names. */
  readonly configured: readonly AccountId[];
  nameOf(account: string): string;
  readonly monitoring: Monitoring;
  /** The account of an id or a configured name, without asking the cluster. @throws RelightError `account.unknown` */
  accountId(text: string): AccountId;
  /** What the use cases need; connects to the cluster on the first call. @throws RelightError `nats.*` */
  context(): Promise<Context>;
  /** Queues a job for every account; with the in-process queue it waits until they are done. */
  sweep(trigger: Trigger, reason: string): Promise<SweepReport>;
  /** Everything that expires, the most urgent first. @throws RelightError `nats.*` */
  expiries(): Promise<readonly Expiring[]>;
  remediate(job: Job): Promise<Remediation>;
  /** Queues one job; with the in-process queue it waits until that has ended. @throws RelightError `queue.unavailable` */
  order(job: Job): Promise<JobEnd>;
  /**
   * Listens to the cluster until `signal` is aborted, each job and sweep on an app of its own.
   * @throws RelightError `nats.*` if it can't be listened to from the start.
   */
  watch(settings: Pick<Watching, "sweepEvery" | "tell">): Promise<void>;
  /** Checks who sent a webhook. @throws RelightError `webhook.unauthorized` */
  authenticate(request: SignedRequest): Promise<string>;
  accept(delivery: Delivery): Promise<Acceptance>;
}

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

/**
 * What a remedy must give back is journalled to the byte, though an import's activation token looks like a
 * secret to the redactor (docs/decisions/0006). Whoever shows the journal redacts it.
 */
const scrubEntry = ({ claims, memory, undo, ...data }: JsonObject): JsonObject => ({
  ...scrub(data),
  ...(claims === undefined ? {} : { claims }),
  ...(memory === undefined ? {} : { memory }),
  ...(undo === undefined ? {} : { undo }),
});

/**
 * Reads the configuration and puts adapters behind the ports; the only place that chooses them.
 * @throws RelightError `config.*`, `secret.*`, `operator.invalid`, `journal.unavailable`.
 */
export async function openApp(options: AppOptions): Promise<App> {
  const { configFile, log, signal, env = process.env } = options;
  const config = await loadConfig(configFile, env);
  const secrets = createSecrets({ baseDir: config.baseDir, env });
  const operator = parseOperator(await secrets.read(config.operator.jwt));
  const journal = await openJournal(config);
  const settings = new Map(config.accounts.map((account) => [account.id, account]));
  const configured = [...settings.keys()];
  const settingsOf: Context["settingsOf"] = (account) => settings.get(account);
  const escalation = await openEscalation(config, secrets, log);
  const restarter = await openRestarter(config, secrets, env);
  const base = { clock: systemClock, newId: randomUUID, log, secrets, journal, leases: journal, escalation };
  const pager: Pager = { clock: systemClock, journal, escalation, log, operator, settingsOf };

  let opening: Promise<Cluster> | undefined;
  async function connectCluster(): Promise<Cluster> {
    const systemCredentials = await secrets.read(config.cluster.systemCredentials);
    const { servers, timeout } = config.cluster;
    return openCluster({ servers, systemCredentials, timeout, clock: systemClock, operator });
  }

  async function context(): Promise<Context> {
    const signing = config.operator.signingKey;
    const signer = signing === undefined ? undefined : operatorSigner(await secrets.read(signing), operator);
    opening ??= connectCluster();
    const cluster = await opening;
    return {
      ...{
        ...base,
        codec: jwtCodec,
        operator,
        policy: config.policy,
        policyOf: policiesOf(config, operator),
        settingsOf,
      },
      ...{
        resolver: cluster.resolver,
        probes: cluster.probes,
        assets: cluster.assets,
        reopen: cluster.reopen,
      },
      ...(signer === undefined ? {} : { signer }),
      ...(signal === undefined ? {} : { signal }),
      ...(restarter === undefined ? {} : { restarter }),
    };
  }

  const results: Remediation[] = [];
  const failures: { account: AccountId; error: RelightError }[] = [];
  const jobs = await openJobs(config, {
    work: async (job) => {
      if (signal?.aborted) throw new RelightError("interrupted", "stopped before it began, as asked");
      results.push(await remediate(await context(), job));
    },
    onError: (thrown, { account }) => void failures.push({ account, error: asRelightError(thrown) }),
  });

  /** A queue in this process keeps nothing: a job that trying again can mend was not taken if it failed. */
  async function enqueueSafely(job: Job): Promise<void> {
    await jobs.enqueue(job);
    await jobs.drain();
    const failure = failures.find(({ account }) => account === job.account);
    if (failure?.error.retryable) throw failure.error;
  }

  const expirySources: ExpirySources = {
    ...{ policy: config.policy, operatorJwt: config.operator.jwt, configured },
    systemCredentials: config.cluster.systemCredentials,
    ...{ credentials: config.watch.credentials, retiring: config.operator.retiring },
    certificates: () => serverCertificates(config.cluster.servers, config.cluster.timeout),
  };

  async function runSweep(trigger: Trigger, reason: string): Promise<SweepReport> {
    try {
      const report = await sweep({ ...(await context()), jobs, configured }, trigger, reason);
      await jobs.drain();
      await watchExpiries(await context(), expirySources, randomUUID()).catch((thrown: unknown) =>
        log.error("what expires could not be looked at", { error: asRelightError(thrown).toJSON() }),
      );
      return { ...report, results, failures };
    } catch (thrown) {
      await pageSweepFailure(pager, asRelightError(thrown));
      throw thrown;
    }
  }

  async function order(job: Job): Promise<JobEnd> {
    await jobs.enqueue(job);
    await jobs.drain();
    const [end] = endsOf({ results, failures }, [job.account]);
    return end?.end ?? { state: "queued" };
  }

  async function runWatch(settings: Pick<Watching, "sweepEvery" | "tell">): Promise<void> {
    const systemCredentials = await secrets.read(config.cluster.systemCredentials);
    const { servers, timeout } = config.cluster;
    await using events = await openEvents({ servers, systemCredentials, timeout, log });
    const stop = (): void => void events[Symbol.asyncDispose]();
    if (signal?.aborted) return;
    signal?.addEventListener("abort", stop, { once: true });
    await watch({ ...{ ...base, ...settings, configured, events }, ...onFreshRuns(() => openApp(options)) });
  }

  return {
    ...{ log, journal, configured, context, sweep: runSweep, order, watch: runWatch },
    monitoring: httpMonitoring(config.cluster.monitoring, config.cluster.timeout),
    expiries: async () => findExpiries(await context(), expirySources),
    nameOf: (account) => (isAccountId(account) ? (settingsOf(account)?.name ?? account) : account),
    accountId: (text) => {
      const named = configured.find((account) => settingsOf(account)?.name === text);
      if (named !== undefined) return named;
      if (isAccountId(text)) return text;
      throw new RelightError("account.unknown", `no configured account is called "${text}"`);
    },
    remediate: async (job) => remediate(await context(), job),
    authenticate: async (request) => {
      const references = config.issuerWebhook?.secrets ?? [];
      return verifySignature(
        request,
        await Promise.all(references.map((reference) => secrets.read(reference))),
      );
    },
    accept: (delivery) =>
      acceptDelivery(
        { ...base, jobs: { ...jobs, enqueue: enqueueSafely }, codec: jwtCodec, operator },
        delivery,
      ),
    [Symbol.asyncDispose]: async () => {
      await jobs.drain();
      const cluster = await opening?.catch(() => undefined);
      await cluster?.[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]?.();
    },
  };
}

/** Whoever runs sweeps on a schedule reads no output: a sweep that can't even begin calls a person. */
async function pageSweepFailure(pager: Pager, error: RelightError): Promise<void> {
  await escalate(
    pager,
    { id: randomUUID(), account: "-" },
    {
      failureClass: "cluster_unreachable",
      severity: "critical",
      summary: `the sweep failed: ${error.message.split("\n")[0]}`,
      advice: [error.mend],
      evidence: { error: error.toJSON() },
    },
  );
}

type OpenJournal = Journal & Leases & Partial<AsyncDisposable>;
type LocalWork = Pick<Parameters<typeof inProcessJobs>[0], "work" | "onError">;

async function openJobs(config: Config, local: LocalWork): Promise<Jobs> {
  if (config.queue === "in-process") return inProcessJobs(local);
  const { sqsClient, sqsJobs } = await import("./adapters/aws/sqs-jobs.ts");
  return sqsJobs({ queueUrl: config.queue.slice("sqs:".length), client: sqsClient() });
}

async function openJournal(config: Config): Promise<OpenJournal> {
  const [, kind, place = ""] = /^(\w+):(.+)$/.exec(config.journal) ?? [];
  if (kind === "sqlite")
    return sqliteJournal({ path: resolve(config.baseDir, place), clock: systemClock, scrub: scrubEntry });
  const { documentClient, dynamoDbJournal } = await import("./adapters/aws/dynamodb-journal.ts");
  return dynamoDbJournal({ table: place, client: documentClient(), clock: systemClock, scrub: scrubEntry });
}

async function openEscalation(config: Config, secrets: Secrets, log: Log): Promise<Escalation> {
  const channels = config.escalation.map(async ({ webhook: { url, secret } }) => {
    const signed = secret === undefined ? {} : { secret: await secrets.read(secret) };
    const escalation = webhookEscalation({ url, clock: systemClock, scrub, ...signed });
    return { name: `webhook ${new URL(url).host}`, escalation };
  });
  return fanOutEscalation(await Promise.all(channels), log);
}

async function openRestarter(
  { restart }: Config,
  secrets: Secrets,
  env: NonNullable<AppOptions["env"]>,
): Promise<Restarter | undefined> {
  if (restart === undefined) return undefined;
  const { command, webhook, kubernetes, timeout } = restart;
  if (command !== undefined) return commandRestarter({ command, timeout, env, redactText });
  if (webhook !== undefined) {
    const secret = await secrets.read(webhook.secret);
    return webhookRestarter({ url: webhook.url, secret, timeout, clock: systemClock, newId: randomUUID });
  }
  if (kubernetes === undefined) return undefined;
  const { kubeconfig: reference, ...place } = kubernetes;
  const kubeconfig = reference === undefined ? {} : { kubeconfig: await secrets.read(reference) };
  const { kubernetesRestarter } = await import("./adapters/restart/kubernetes.ts");
  return kubernetesRestarter({ ...place, ...kubeconfig, timeout, env, redactText });
}
