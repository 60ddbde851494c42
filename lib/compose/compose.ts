import type { SignedRequest } from "../adapters/issuer/standard-webhooks.ts";
import { httpMonitoring } from "../adapters/local/monitoring.ts";
import type { AccountId } from "../domain/claims/account.ts";
import type { AccountClaims } from "../domain/claims/claims.ts";
import type { KnownAccount } from "../domain/claims/inventory.ts";
import type { Expiring } from "../domain/expiry/expiring.ts";
import type { ExpiryPolicy } from "../domain/expiry/expiry-policy.ts";
import { policiesOf } from "../domain/expiry/policy-match.ts";
import type { Links } from "../domain/incidents/page-text.ts";
import type { RunMode } from "../domain/ladder/mode.ts";
import { defined } from "../domain/time/defined.ts";
import { asRelightError, RelightError } from "../errors.ts";
import type { AccessSettings } from "../http/access.ts";
import type { Clock } from "../ports/clock.ts";
import type { Monitoring } from "../ports/cluster.ts";
import type { Job, NewJob, Trigger } from "../ports/jobs.ts";
import type { Journal } from "../ports/journal.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics } from "../ports/observers.ts";
import { type Context, nameOf } from "../usecases/context/context.ts";
import { guarded } from "../usecases/context/mode.ts";
import type { Timing } from "../usecases/context/timing.ts";
import { ROTATING_SECRET_NEEDS } from "../usecases/context/writes.ts";
import type { JobDependencies } from "../usecases/job/job.ts";
import { findAccount, knownAccounts, takeInventory } from "../usecases/observe/inventory.ts";
import type { Acceptance, Delivery } from "../usecases/orders/accept-delivery.ts";
import { type Console, type ConsoleDependencies, consoleOf } from "../usecases/orders/console.ts";
import type { LimitOrder } from "../usecases/orders/plan-limits.ts";
import type { RotationOrder, RotationPlan } from "../usecases/orders/plan-rotation.ts";
import type { RotationEvent, RotationStepDone } from "../usecases/orders/rotate-credentials.ts";
import type { Rotation } from "../usecases/orders/rotate-key.ts";
import type { Page, SendResult } from "../usecases/paging/send-page.ts";
import type { Remediation } from "../usecases/remediate/remediation.ts";
import type { ExpirySources } from "../usecases/reports/expiries.ts";
import type { Sweep, SweepOrder } from "../usecases/sweep/sweep.ts";
import { type Ends, endsOf, onFreshRuns } from "../usecases/watch/fresh-runs.ts";
import type { JobEnd, Watching } from "../usecases/watch/watch.ts";
import { openJobs, openRotation } from "./adapters-of.ts";
import { readAccess } from "./open-access.ts";
import { queueMeter } from "./open-observers.ts";
import { openParts, type PartsOptions } from "./open-parts.ts";

export { type KeptSecrets, keptSecrets } from "./secrets.ts";

export interface AppOptions extends PartsOptions {
  /** Where orders of the API and the webhook go, instead of a queue that ends with this run. */
  readonly enqueue?: (job: Job) => Promise<void>;
}

export interface WatchSettings extends Pick<Watching, "sweepEvery" | "report" | "program"> {
  /** Called once the cluster was reached. */
  readonly onListening?: () => void;
}

/** A sweep, and the results of the jobs that ran in this process. */
export interface SweepReport extends Sweep, Ends {}

/** Relight composed for one run. Must be disposed, because it holds a connection and the journal. */
export interface App extends AsyncDisposable {
  /** The mode of this run. */
  readonly mode: RunMode;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly journal: Journal;
  /** What to tell whoever starts this run, if no page would reach a person; for people. */
  readonly nobodyPagedWarning: string | undefined;
  /** The configured accounts. */
  readonly configured: readonly AccountId[];
  /** Where pages send people. */
  readonly links: Links;
  /** Where `serve` and the console listen. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Who may use them; undefined if nothing says so. @throws RelightError `secret.*` */
  access(): Promise<AccessSettings | undefined>;
  /** An account's policy by the configuration. Without the operator JWT, the system account is one like any other. */
  policyOf(account: AccountId, claims?: AccountClaims): ExpiryPolicy;
  nameOf(account: string): string;
  readonly monitoring: Monitoring;
  /** The account that a person means by an id or a name. @throws RelightError `account.unknown`, `nats.*` */
  findAccount(text: string): Promise<AccountId>;
  /** The same from configuration and journal only, without the cluster. @throws RelightError `account.unknown` */
  findOffline(text: string): Promise<AccountId>;
  /** The account that a person means; all known accounts if none is named. @throws RelightError `nats.*` */
  accounts(text?: string): Promise<readonly AccountId[]>;
  /** All known accounts with their names. @throws RelightError `nats.*` */
  inventory(): Promise<readonly KnownAccount[]>;
  /** What the use cases need; connects to the cluster on the first call. @throws RelightError `nats.*` */
  context(): Promise<Context>;
  /**
   * Queues a job for each due account, or for every account. With the in-process queue it waits until they are done. By
   * default the schedule sweeps due accounts, and all other triggers sweep everything.
   */
  sweep(trigger: Trigger, reason: string, which?: SweepOrder["which"]): Promise<SweepReport>;
  /** Everything that expires, the most urgent first. @throws RelightError `nats.*` */
  expiries(): Promise<readonly Expiring[]>;
  /** Runs one job to its end, in this process; `onLook` gets each of its checks. @throws RelightError */
  remediate(job: NewJob, onLook?: Context["onLook"]): Promise<Remediation>;
  /** @throws RelightError `limits.refused`, and the errors of a push */
  changeLimits(order: LimitOrder): Promise<Remediation>;
  /** @throws RelightError `signer.missing`, `mode.forbids`, `journal.unavailable` */
  rotateKey(order: RotationOrder, plan: RotationPlan): Promise<Rotation>;
  /** Queues one job. With the in-process queue it waits until the job has ended. @throws RelightError `queue.unavailable` */
  order(job: Job): Promise<JobEnd>;
  /**
   * Listens to the cluster until `signal` is aborted. Each job and sweep runs in its own app.
   * @throws RelightError `nats.*` if listening fails at the start.
   */
  watch(settings: WatchSettings): Promise<void>;
  /** Verifies the sender of a webhook. @throws RelightError `webhook.unauthorized` */
  authenticate(request: SignedRequest): Promise<string>;
  accept(delivery: Delivery): Promise<Acceptance>;
  /** Parses an event of the bus. @throws RelightError `event.invalid` */
  readPage(body: string): Promise<Page>;
  /**
   * Sends the page of a bus event to the channels, once. @throws RelightError `page.busy`, `escalation.undeliverable`,
   * `journal.unavailable`
   */
  sendPage(page: Page): Promise<SendResult>;
  /** The requests and orders of a console. Opens no connection to NATS. */
  readonly console: Console;
  /** One step of a rotation of `cluster.systemCredentials`. @throws RelightError `rotation.refused`, `secret.*`, `nats.*` */
  rotateCredentials(event: RotationEvent): Promise<RotationStepDone>;
}

/**
 * How many accounts a sweep works on at once. They share one connection with a limit of its own for requests in flight, and
 * one journal, which commits together what several jobs write at once.
 */
const ACCOUNTS_AT_ONCE = 16;

/**
 * Reads the configuration and chooses the adapters.
 * @throws RelightError `config.*`, `journal.unavailable`; with `upFront` also `secret.*`, `operator.invalid`.
 */
export async function openApp(options: AppOptions): Promise<App> {
  const { log, signal } = options;
  const parts = await openParts(options);
  const { config, base, context, operator } = parts;
  const { journal, secrets } = base;
  const configured = [...parts.settings.keys()];
  const { timeout, systemCredentials: reference } = config.cluster;

  const runner: JobDependencies = { ...base, context, ...defined({ announcer: parts.announcer }) };
  const runRemediation = async (job: NewJob, onLook?: Context["onLook"]): Promise<Remediation> => {
    const { remediate } = await import("../usecases/remediate/remediate.ts");
    const seeing = async () => ({ ...(await context()), ...defined({ onLook }) });
    return remediate({ ...runner, context: seeing }, job);
  };
  const results: Remediation[] = [];
  const failures: { account: AccountId; error: RelightError }[] = [];
  const jobs = await openJobs(config, {
    parallel: ACCOUNTS_AT_ONCE,
    onQueued: queueMeter(base.metrics, base.clock),
    work: async (job) => {
      if (signal?.aborted) throw new RelightError("interrupted", "stopped before it began");
      results.push(await runRemediation(job));
    },
    onError: (thrown, { account }) => void failures.push({ account, error: asRelightError(thrown) }),
  });

  /** An in-process queue does not retry, so a retryable failure of the job counts as not queued. */
  async function enqueueSafely(job: Job): Promise<void> {
    await jobs.enqueue(job);
    await jobs.drain();
    const failure = failures.find(({ account }) => account === job.account);
    if (failure?.error.retryable) throw failure.error;
  }

  const expirySources: ExpirySources = {
    policy: config.policy,
    operatorJwt: config.operator.jwt,
    configured,
    systemCredentials: reference,
    credentials: config.watch.credentials,
    retiring: config.operator.retiring,
    certificates: async () => {
      const { serverCertificates } = await import("../adapters/nats/connection/certificates.ts");
      return serverCertificates(config.cluster.servers, timeout);
    },
  };

  async function order(job: Job): Promise<JobEnd> {
    await jobs.enqueue(job);
    await jobs.drain();
    const [end] = endsOf({ results, failures }, [job.account]);
    return end?.end ?? { state: "queued" };
  }

  async function runWatch({ onListening, ...settings }: WatchSettings): Promise<void> {
    const [{ openEvents }, { watch }] = await Promise.all([
      import("../adapters/nats/events/events.ts"),
      import("../usecases/watch/watch.ts"),
    ]);
    const systemCredentials = await secrets.read(reference);
    const servers = await parts.servers();
    await using events = await openEvents({ servers, systemCredentials, timeout, log });
    onListening?.();
    const stop = (): void => void events[Symbol.asyncDispose]();
    if (signal?.aborted) return;
    signal?.addEventListener("abort", stop, { once: true });
    const trusted = await operator();
    await watch({
      ...base,
      ...settings,
      configured,
      events,
      operator: trusted,
      ...onFreshRuns(() => openApp({ ...options, journalFile: base.journal.file })),
    });
  }

  const deps: ConsoleDependencies = {
    ...base,
    jobs: { ...jobs, enqueue: options.enqueue ?? enqueueSafely },
    configured,
  };
  const offlinePolicy = policiesOf(config, {});
  return {
    mode: base.mode,
    nobodyPagedWarning: parts.nobodyPagedWarning,
    clock: base.clock,
    timing: base.timing,
    log,
    metrics: base.metrics,
    journal,
    configured,
    context,
    sweep: async (trigger, reason, which = trigger === "schedule" ? "due" : "everything") => {
      const { runSweep } = await import("./run-sweep.ts");
      const run = { parts, jobs, expirySources, results };
      return { ...(await runSweep(run, { trigger, reason, which })), results, failures };
    },
    order,
    watch: runWatch,
    monitoring: httpMonitoring(config.cluster.monitoring, timeout),
    expiries: async () => {
      const { findExpiries } = await import("../usecases/reports/expiries.ts");
      return findExpiries(await context(), expirySources);
    },
    links: config.links,
    listen: config.serve.listen,
    access: () => readAccess(config, secrets),
    policyOf: (account, claims) => offlinePolicy(account, claims),
    nameOf: (account) => nameOf(base, account as AccountId),
    findAccount: (text) => findAccount(deps, text, context),
    findOffline: (text) => findAccount(deps, text),
    accounts: async (text) =>
      text === undefined ? knownAccounts(await context(), configured) : [await findAccount(deps, text, context)],
    inventory: async () => takeInventory(await context(), configured),
    remediate: runRemediation,
    changeLimits: async (order) => {
      const { changeLimits } = await import("../usecases/orders/change-limits.ts");
      return changeLimits(runner, order);
    },
    rotateKey: async (order, plan) => {
      const { rotate } = await import("../usecases/orders/rotate-key.ts");
      return rotate(runner, order, plan);
    },
    authenticate: async (request) => {
      const { verifySignature } = await import("../adapters/issuer/standard-webhooks.ts");
      const references = config.issuerWebhook?.secrets ?? [];
      return verifySignature(request, await Promise.all(references.map((each) => secrets.read(each))));
    },
    accept: async (delivery) => {
      const [{ acceptDelivery }, { jwtCodec }] = await Promise.all([
        import("../usecases/orders/accept-delivery.ts"),
        import("../adapters/nats/jwt/jwt-codec.ts"),
      ]);
      return acceptDelivery({ ...base, jobs: deps.jobs, codec: jwtCodec, operator }, delivery);
    },
    readPage: async (body) => (await import("../adapters/aws/pages/page-events.ts")).parsePageEvent(body),
    sendPage: async (page) => {
      const { sendPage } = await import("../usecases/paging/send-page.ts");
      return sendPage({ ...base, escalation: parts.channels }, page);
    },
    console: consoleOf(deps),
    rotateCredentials: async (event) => {
      const prove = async (systemCredentials: string): Promise<void> => {
        await using _cluster = await parts.connectWith(systemCredentials);
      };
      const { rotateCredentials } = await import("../usecases/orders/rotate-credentials.ts");
      const { secret, mint } = await openRotation(config, secrets, base);
      const mayRotate = guarded(base.mode, secret, ROTATING_SECRET_NEEDS);
      return rotateCredentials({ ...base, secret: mayRotate, mint, reference, prove }, event);
    },
    [Symbol.asyncDispose]: async () => {
      await jobs.drain();
      await parts[Symbol.asyncDispose]();
    },
  };
}
