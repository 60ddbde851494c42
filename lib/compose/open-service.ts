import { randomUUID } from "node:crypto";
import { systemClock } from "../adapters/local/clock.ts";
import { type PrometheusMetrics, prometheusMetrics } from "../adapters/local/prometheus-metrics.ts";
import { accountSettings, type Config, loadConfig } from "../config/config.ts";
import { millis } from "../domain/time/time.ts";
import { asRelightError, errorFields, type RelightError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Job } from "../ports/jobs.ts";
import type { Log } from "../ports/log.ts";
import { abandonedWork } from "./abandoned.ts";
import { openJournal } from "./adapters-of.ts";
import { type App, type AppOptions, openApp, type WatchSettings } from "./compose.ts";
import { queueMeter } from "./open-observers.ts";
import { overridesOf } from "./open-parts.ts";
import { orderQueue } from "./order-queue.ts";

/** What must be there before this process can do its work. */
export type Part = "configuration" | "journal" | "cluster";

/** Relight for a process that runs until it is stopped. Must be disposed, because it holds the journal. */
export interface Service extends AsyncDisposable {
  readonly settings: Config["serve"];
  readonly clock: Clock;
  readonly log: Log;
  /** What to tell whoever starts this process, if no page would reach a person; for people. */
  readonly nobodyPagedWarning: string | undefined;
  /**
   * Works with Relight as one request needs it: configuration and secrets are read again, and orders go to this process's
   * queue.
   */
  withApp<T>(work: (app: App) => Promise<T>): Promise<T>;
  /**
   * Sweeps and listens to the cluster until `signal` is aborted. @throws RelightError `nats.*` if the cluster can't be
   * reached; then a person is paged if that lasts, unless sweeps are off.
   */
  watch(settings: WatchSettings): Promise<void>;
  /** What is missing now. The cluster counts as there once it was reached. */
  missing(): Promise<readonly Part[]>;
  /** What Prometheus reads. */
  readonly metrics: Pick<PrometheusMetrics, "contentType" | "text">;
  /** Waits for the orders that run in this process. */
  drain(): Promise<void>;
}

export interface ServiceOptions extends Omit<AppOptions, "enqueue" | "metrics"> {
  readonly signal: AbortSignal;
  /** Relight's, for its metrics. */
  readonly version: string;
}

/**
 * Reads the configuration and all secrets, but does not connect to the cluster.
 * @throws RelightError `config.*`, `secret.*`, `operator.invalid`, `journal.unavailable`
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { log, signal } = options;
  const readConfig = (): Promise<Config> => loadConfig(options.configFile, overridesOf(options));
  const config = await readConfig();
  const nobodyPagedWarning = await checkUpFront(options);
  const { perAccount } = config.metrics;
  const metrics = prometheusMetrics({ perAccount, log, version: options.version, clock: systemClock });
  const journal = await openJournal(config);
  const queue = config.queue === "in-process" ? { enqueue: (job: Job) => orders.enqueue(job) } : {};
  const run = async <T>(work: (app: App) => Promise<T>, more: Partial<AppOptions> = {}): Promise<T> => {
    await using app = await openApp({ ...options, metrics, journalFile: journal.file, ...more });
    return await work(app);
  };
  const onQueued = queueMeter(metrics, systemClock);
  const orders = orderQueue({ log, signal, clock: systemClock, run: runOrder, onQueued });
  const abandoned = abandonedWork({
    journal,
    clock: systemClock,
    newId: randomUUID,
    configured: [...accountSettings(config).keys()],
    enqueue: orders.enqueue,
    keeps: config.journalKeeps,
    findsOrders: config.journal.startsWith("sqlite:"),
  });
  let isReached = false;
  let isWritable = true;

  /** Says so when it changes, because probes ask every few seconds. */
  async function canWrite(): Promise<boolean> {
    const error = await writeTo(journal).then(() => undefined, errorOf);
    if (isWritable && error !== undefined)
      log.error("the journal can't be written, so this process is not ready", errorFields(error));
    if (!isWritable && error === undefined) log.warn("the journal can be written again");
    isWritable = error === undefined;
    return isWritable;
  }

  async function runOrder(job: Job): Promise<void> {
    if (await abandoned.isWanted(job)) await run((app) => app.remediate(job));
  }

  const works: Readonly<Record<Part, () => Promise<boolean>>> = {
    configuration: () => succeeds(readConfig),
    journal: canWrite,
    cluster: async () => isReached,
  };

  /** The sweep fails like the listening did, and pages a person if that lasts. */
  async function sweepInstead(thrown: unknown): Promise<never> {
    await run((app) => app.sweep("schedule", "the cluster could not be listened to")).catch(() => undefined);
    throw thrown;
  }

  return {
    settings: config.serve,
    clock: systemClock,
    log,
    nobodyPagedWarning,
    withApp: (work) => run(work, queue),
    watch: (settings) => {
      const onListening = (): void => {
        if (!isReached && config.queue === "in-process")
          abandoned.resume().catch((thrown: unknown) => {
            log.error("what an ended process left could not be resumed; sweeps find it", errorFields(thrown));
          });
        isReached = true;
        settings.onListening?.();
      };
      return run((app) => app.watch({ ...settings, onListening })).catch((thrown: unknown) => {
        if (settings.sweepEvery === undefined) throw thrown;
        return sweepInstead(thrown);
      });
    },
    missing: async () => {
      const checks = Object.entries(works).map(async ([part, check]) => ((await check()) ? [] : [part as Part]));
      return (await Promise.all(checks)).flat();
    },
    metrics,
    drain: orders.drain,
    [Symbol.asyncDispose]: async () => journal[Symbol.asyncDispose]?.(),
  };
}

/** Because a person wants to know at once what is missing. */
async function checkUpFront(options: ServiceOptions): Promise<string | undefined> {
  await using app = await openApp({ ...options, upFront: true });
  return app.nobodyPagedWarning;
}

/** Takes a lease for no time: it is written, and keeps nobody from anything. */
async function writeTo(journal: Awaited<ReturnType<typeof openJournal>>): Promise<void> {
  const holder = randomUUID();
  await journal.acquire("ready", holder, millis(0));
  await journal.release("ready", holder);
}

/** @throws what is no RelightError */
function errorOf(thrown: unknown): RelightError {
  const error = asRelightError(thrown);
  if (error.code === "internal") throw thrown;
  return error;
}

const succeeds = (work: () => Promise<unknown>): Promise<boolean> =>
  work().then(
    () => true,
    (thrown: unknown) => asRelightError(thrown).code === "internal" && Promise.reject(thrown),
  );
