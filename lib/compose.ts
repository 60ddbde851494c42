import { randomUUID } from "node:crypto";
import { type SignedRequest, verifySignature } from "./adapters/issuer/standard-webhooks.ts";
import { systemClock } from "./adapters/local/clock.ts";
import { httpMonitoring } from "./adapters/local/monitoring.ts";
import { serverCertificates } from "./adapters/nats/certificates.ts";
import { openCluster } from "./adapters/nats/cluster.ts";
import { openEvents } from "./adapters/nats/events.ts";
import { jwtCodec, parseOperator } from "./adapters/nats/jwt-codec.ts";
import { createSecrets } from "./adapters/secrets.ts";
import {
  type Environment,
  openJobs,
  openJournal,
  openRestarts,
  openRotation,
  openSigner,
} from "./adapters-of.ts";
import { accountSettings, loadConfig } from "./config.ts";
import { type AccountId, isAccountId } from "./domain/account.ts";
import type { Expiring } from "./domain/expiring.ts";
import { policiesOf } from "./domain/policy-match.ts";
import type { Millis } from "./domain/time.ts";
import { asRelightError, RelightError } from "./errors.ts";
import { openEscalation } from "./open-escalation.ts";
import { openSource } from "./open-source.ts";
import type { Cluster, Job, Journal, Log, Monitoring, Signer, Trigger } from "./ports.ts";
import { type Acceptance, acceptDelivery, type Delivery } from "./usecases/accept-delivery.ts";
import type { Context } from "./usecases/context.ts";
import { escalate, type Pager, resolveIncidents } from "./usecases/escalate.ts";
import { type ExpirySources, findExpiries, watchExpiries } from "./usecases/expiries.ts";
import { type Ends, endsOf, onFreshRuns } from "./usecases/fresh-runs.ts";
import { type Remediation, remediate } from "./usecases/remediate.ts";
import {
  type RotationEvent,
  type RotationStepDone,
  rotateCredentials,
} from "./usecases/rotate-credentials.ts";
import { type Sweep, type SweepOrder, sweep } from "./usecases/sweep.ts";
import { type JobEnd, type Watching, watch } from "./usecases/watch.ts";

export interface AppOptions {
  readonly configFile: string;
  readonly log: Log;
  readonly signal?: AbortSignal;
  /** The environment that `env:` references are read from. */
  readonly env?: Environment;
  /** How long this process may run; for as long as it takes by default. */
  readonly lasts?: Millis;
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
  /**
   * Queues a job for each account that is due, or for every one if that is wanted; with the in-process queue it
   * waits until they are done. By default the schedule wants what is due, and whoever else asks wants everything.
   */
  sweep(trigger: Trigger, reason: string, which?: SweepOrder["which"]): Promise<SweepReport>;
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
  /** One step of a rotation of `cluster.systemCredentials`. @throws RelightError `rotation.refused`, `secret.*`, `nats.*` */
  rotateCredentials(event: RotationEvent): Promise<RotationStepDone>;
}

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
  const settings = accountSettings(config);
  const configured = [...settings.keys()];
  const settingsOf: Context["settingsOf"] = (account) => settings.get(account);
  const escalation = await openEscalation(config, secrets, log);
  const restarts = await openRestarts(config, secrets, env, options.lasts);
  const source = openSource(config, operator, jwtCodec);
  const base = { clock: systemClock, newId: randomUUID, log, secrets, journal, leases: journal, escalation };
  const pager: Pager = { clock: systemClock, journal, escalation, log, operator, settingsOf };

  let opening: Promise<Cluster> | undefined;
  let signing: Promise<Signer | undefined> | undefined;
  const { servers, timeout } = config.cluster;
  const connectWith = (systemCredentials: string): Promise<Cluster> =>
    openCluster({ servers, systemCredentials, timeout, clock: systemClock, operator });
  const connectCluster = async (): Promise<Cluster> =>
    connectWith(await secrets.read(config.cluster.systemCredentials));

  async function context(): Promise<Context> {
    signing ??= openSigner(config, secrets, operator).catch((error: unknown) => {
      signing = undefined;
      throw error;
    });
    const signer = await signing;
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
      ...restarts,
      ...source,
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

  async function runSweep(
    trigger: Trigger,
    reason: string,
    which: SweepOrder["which"] = trigger === "schedule" ? "due" : "everything",
  ): Promise<SweepReport> {
    try {
      const sweeping = { ...(await context()), jobs, configured, settings: config.sweep };
      const report = await sweep(sweeping, { trigger, reason, which });
      await jobs.drain();
      await sweepWorked(pager);
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
    rotateCredentials: async (event) => {
      const reference = config.cluster.systemCredentials;
      const prove = async (systemCredentials: string): Promise<void> => {
        await using _cluster = await connectWith(systemCredentials);
      };
      const { secret, mint } = await openRotation(config, secrets, base);
      return rotateCredentials({ ...base, secret, mint, reference, prove }, event);
    },
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
      about: error.code,
    },
  );
}

async function sweepWorked(pager: Pager): Promise<void> {
  const job = { id: randomUUID(), account: "-" } as const;
  await resolveIncidents(pager, job, (open) => open === "cluster_unreachable", "sweeps work again");
}
