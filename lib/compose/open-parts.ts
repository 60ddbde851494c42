import { randomUUID } from "node:crypto";
import { measuredEscalation } from "../adapters/escalation/measured.ts";
import { systemClock } from "../adapters/local/clock.ts";
import { noMetrics, noTracer } from "../adapters/local/no-observers.ts";
import type { Servers } from "../adapters/nats/connection/tls.ts";
import { accountSettings, type Config, loadConfig, type Overrides } from "../config/config.ts";
import type { AccountId, AccountSettings } from "../domain/claims/account.ts";
import type { Operator } from "../domain/claims/operator.ts";
import { policiesOf } from "../domain/expiry/policy-match.ts";
import { type Installation, namesToType } from "../domain/incidents/page-command.ts";
import { allows, modeOf, type RunMode } from "../domain/ladder/mode.ts";
import { defined } from "../domain/time/defined.ts";
import { type Millis, millis } from "../domain/time/time.ts";
import type { Announcer } from "../ports/announcer.ts";
import type { Clock } from "../ports/clock.ts";
import type { Cluster } from "../ports/cluster.ts";
import type { Escalation } from "../ports/escalation.ts";
import type { Signer } from "../ports/keys.ts";
import type { Leases } from "../ports/leases.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics, Tracer } from "../ports/observers.ts";
import type { Secrets } from "../ports/secrets.ts";
import type { Context } from "../usecases/context/context.ts";
import { guarded } from "../usecases/context/mode.ts";
import { TIMING, type Timing } from "../usecases/context/timing.ts";
import { tracedPort } from "../usecases/context/traced-port.ts";
import { type Turns, turns } from "../usecases/context/turns.ts";
import { ASSETS_NEED, PROBES_NEED, RESOLVER_NEEDS, RESTARTER_NEEDS } from "../usecases/context/writes.ts";
import type { EscalateDependencies } from "../usecases/paging/pager.ts";
import {
  type Environment,
  type OpenJournal,
  openJournal,
  openServers,
  openSigner,
  restartsAsNeeded,
  unwritten,
} from "./adapters-of.ts";
import { busEscalation, channelsAsNeeded, nobodyPagedWarning, openBus, openEscalation } from "./open-escalation.ts";
import { bothMetrics, openMetrics } from "./open-observers.ts";
import { openOnce } from "./open-once.ts";
import { openSource } from "./open-source.ts";
import { createSecrets, type KeptSecrets, keptOf, withCurrent } from "./secrets.ts";

export interface PartsOptions {
  readonly configFile: string;
  /** A context of the `nats` command, instead of the configuration's servers, credentials and TLS. */
  readonly natsContext?: string | undefined;
  readonly log: Log;
  /** Hears what a person should put right although everything works; by default the log. */
  readonly onAdvice?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Where `relight serve` listens, instead of the configuration's address. */
  readonly listen?: string | undefined;
  /** The environment for `env:` references. */
  readonly env?: Environment;
  /** Traces the run; by default nothing does. The caller disposes it. */
  readonly tracer?: Tracer;
  /** How long this process may run; unlimited by default. */
  readonly lasts?: Millis;
  /**
   * Reads all configured secrets first, because a person wants to know at once what is missing. By default each is read
   * when it is first needed, because a function has permission for only some of them.
   */
  readonly upFront?: boolean;
  /** Counts as well, for whoever reads that. */
  readonly metrics?: Metrics;
  /** Receives each line of metrics; by default standard output, which Lambda reads. */
  readonly writeMetrics?: (line: string) => void;
  /** Only reports what would be done; writes nothing and pages nobody. */
  readonly dryRun?: boolean;
  /** What earlier runs in this process read of the secrets that nearly every run needs; by default each run reads them. */
  readonly keptSecrets?: KeptSecrets;
  /** The journal's file, if this process opened it before: a process that runs long never goes on in another one. */
  readonly journalFile?: OpenJournal["file"];
  /** The configuration's path in commands on pages; absent if people need not name it. */
  readonly namesConfig?: string;
  /** Replaces {@link TIMING}, for tests. */
  readonly timing?: Partial<Timing>;
}

/** The parts that need neither a secret nor a connection to NATS. */
export interface Base {
  readonly mode: RunMode;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly newId: () => string;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly journal: OpenJournal;
  readonly leases: Leases;
  /** How jobs page people: through the bus if configured, otherwise through the channels. */
  readonly escalation: Escalation;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly unknownAfter: Millis;
  readonly settingsOf: Context["settingsOf"];
  readonly installation: Installation;
  readonly remedyTurns: Turns;
}

/** The parts of one run, each opened at first use. Must be disposed, because it holds a connection and the journal. */
export interface Parts extends AsyncDisposable {
  readonly config: Config;
  readonly settings: ReadonlyMap<AccountId, AccountSettings>;
  readonly base: Base;
  /** The configured channels, even if there is a bus. */
  readonly channels: Escalation;
  /** What to tell whoever starts this run, if no page would reach a person; for people. */
  readonly nobodyPagedWarning: string | undefined;
  /** Absent if no bus is configured. */
  readonly announcer?: Announcer;
  /** @throws RelightError `operator.invalid`, `secret.*` */
  operator(): Promise<Operator>;
  /** @throws as {@link operator} */
  pager(): Promise<EscalateDependencies>;
  /** The servers' addresses and TLS settings. @throws RelightError `secret.*` */
  servers(): Promise<Servers>;
  /** Connects to the cluster at the first call. @throws RelightError `nats.*`, `operator.invalid`, `secret.*` */
  context(): Promise<Context>;
  /** A separate connection, which the caller disposes. @throws RelightError `nats.*` */
  connectWith(systemCredentials: string): Promise<Cluster>;
}

/** How many accounts a run remedies at once. Checks and renewals cost a cluster little; elections and restored streams do not. */
const REMEDIED_AT_ONCE = 4;

/*
 * What talks to NATS is imported when it is used: some functions never do. What a function always uses is loaded with it
 * (scripts/build.ts).
 */
const jwts = () => import("../adapters/nats/jwt/jwt-codec.ts");
const systemUsers = () => import("../adapters/nats/account/system-user.ts");

const JOURNAL_STEPS = {
  append: "journal append",
  read: "journal read",
  latest: "journal read",
  acquire: "lease",
} as const;

const RESOLVER_STEPS = { push: "push", running: "ask what runs" } as const;

const onStandardOutput = (line: string): void => void process.stdout.write(`${line}\n`);

const noEscalation: Escalation = { send: async () => undefined };

/** For a dry run: jobs run in this process, not through a queue without the dry-run mode, and no events are sent. */
const withoutTrace = ({ events: _events, ...config }: Config): Config => ({ ...config, queue: "in-process" });

/** What the command line and the environment override. */
export const overridesOf = ({ env = process.env, natsContext, listen }: PartsOptions): Overrides => ({
  ...env,
  ...defined({ RELIGHT_CONTEXT: natsContext, RELIGHT_LISTEN: listen }),
  ...(listen === undefined ? {} : { listenNamedBy: "--listen" }),
});

/** @throws RelightError `config.*`, `journal.unavailable`; with `upFront` also `secret.*`, `operator.invalid`. */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { configFile, log, signal, env = process.env, lasts, upFront = false, tracer = noTracer } = options;
  const { dryRun = false, writeMetrics = onStandardOutput } = options;
  const loaded = await tracer.step("read configuration", () => loadConfig(configFile, overridesOf(options)));
  const config = dryRun ? withoutTrace(loaded) : loaded;
  const { readOnly, mode: configured } = config;
  const mode = modeOf({ dryRun, readOnly, configured, canSign: config.operator.signingKey !== undefined });
  const { onAdvice = (text: string) => log.warn(text) } = options;
  const onExposed = (path: string): void =>
    onAdvice(`every user of this machine can read the key in ${path}; run chmod 600 ${path}`);
  const secrets = tracedPort(
    tracer,
    createSecrets({ baseDir: config.baseDir, env, onExposed, kept: keptOf(config, options.keptSecrets) }),
    {
      read: "read secret",
    },
  );
  const operator = openOnce(async () => {
    const { parseOperator } = await jwts();
    return parseOperator(await secrets.read(config.operator.jwt));
  });
  const servers = openOnce(() => openServers(config.cluster, secrets));
  if (upFront) await operator();
  if (upFront) await servers();
  const opened = tracedPort(tracer, await openJournal(config, options.journalFile), JOURNAL_STEPS);
  const journal = dryRun ? unwritten(opened) : opened;
  const settings = accountSettings(config);
  const bus = await openBus(config);
  const written = dryRun ? noMetrics : await openMetrics(config, env, log, writeMetrics);
  const metrics = options.metrics === undefined ? written : bothMetrics(written, options.metrics);
  const unmeasured = dryRun
    ? noEscalation
    : upFront && bus === undefined
      ? await openEscalation(config, secrets, log)
      : channelsAsNeeded(config, secrets, log);
  // Incidents from the bus were counted when they were sent to it.
  const channels = measuredEscalation(unmeasured, metrics, bus === undefined ? "all" : "failures");
  const escalation = bus === undefined ? channels : measuredEscalation(busEscalation(bus, config, log), metrics);
  const { restarts, open: openRestarter } = restartsAsNeeded(config, secrets, env, lasts);
  if (upFront) await openRestarter();
  // Read each once per run.
  const source = openOnce(async () => openSource(config, await operator(), (await jwts()).jwtCodec));
  const signer = signerOf(config, secrets, operator);
  const base: Base = {
    mode,
    clock: systemClock,
    timing: { ...TIMING, ...options.timing },
    newId: randomUUID,
    log,
    secrets,
    journal,
    leases: journal,
    escalation,
    metrics,
    tracer,
    unknownAfter: config.unknownAfter,
    settingsOf: (account) => settings.get(account),
    remedyTurns: turns(REMEDIED_AT_ONCE),
    installation: { typedName: namesToType(settings.values()), ...defined({ configFile: options.namesConfig }) },
  };

  const { timeout } = config.cluster;
  const connectWith = async (systemCredentials: string): Promise<Cluster> => {
    const { openCluster } = await import("../adapters/nats/probes/cluster.ts");
    return openCluster({
      servers: await servers(),
      systemCredentials,
      timeout,
      clock: systemClock,
      operator: await operator(),
    });
  };
  const connect = (): Promise<Cluster> =>
    withCurrent(secrets, async () => connectWith(await secrets.read(config.cluster.systemCredentials)));
  // Do not retry an unreachable cluster in the same run, because the run would wait again for each account.
  let opening: Promise<Cluster> | undefined;

  // The operator JWT may not name the system account; then the servers' configuration does.
  async function withSystemAccount(known: Operator): Promise<Operator> {
    const { accountOf } = await systemUsers();
    const account = known.systemAccount ?? accountOf(await secrets.read(config.cluster.systemCredentials));
    return account === undefined ? known : { ...known, systemAccount: account };
  }

  async function context(): Promise<Context> {
    if (upFront && allows(mode.mode, "renew")) await signer?.();
    const trusted = await withSystemAccount(await operator());
    opening ??= tracer.step("connect to NATS", connect);
    const { resolver, probes, assets, reopen } = await opening;
    const { jwtCodec: codec } = await jwts();
    const { restarter, ...whyNone } = restarts;
    return {
      ...base,
      codec,
      operator: trusted,
      policy: config.policy,
      policyOf: policiesOf(config, trusted),
      reopen,
      resolver: tracedPort(tracer, guarded(mode, resolver, RESOLVER_NEEDS), RESOLVER_STEPS),
      probes: tracedPort(tracer, guarded(mode, probes, PROBES_NEED), { observe: "look" }),
      assets: guarded(mode, assets, ASSETS_NEED),
      ...(restarter === undefined ? {} : { restarter: guarded(mode, restarter, RESTARTER_NEEDS) }),
      systemUser: async () => (await systemUsers()).systemUserOf(await secrets.read(config.cluster.systemCredentials)),
      ...defined({ signer, signal }),
      // Without a time limit this is a person's command, which should fail at once.
      ...(lasts === undefined ? {} : { waitsWhileBusy: millis(Math.min(base.timing.busy.timeout, lasts / 4)) }),
      ...whyNone,
      ...(await source()),
    };
  }

  return {
    config,
    settings,
    base,
    channels,
    nobodyPagedWarning: dryRun ? undefined : nobodyPagedWarning(config),
    operator,
    servers,
    context,
    connectWith,
    ...defined({ announcer: bus }),
    pager: async () => ({ ...base, operator: await operator() }),
    [Symbol.asyncDispose]: async () => {
      const cluster = await opening?.catch(() => undefined);
      await cluster?.[Symbol.asyncDispose]();
      await journal[Symbol.asyncDispose]?.();
    },
  };
}

/** The signer, opened at the first signature; absent if no key is configured. */
function signerOf(
  config: Config,
  secrets: Secrets,
  operator: () => Promise<Operator>,
): (() => Promise<Signer>) | undefined {
  const { signingKey } = config.operator;
  if (signingKey === undefined) return undefined;
  return openOnce(async () => openSigner(signingKey, secrets, await operator()));
}
