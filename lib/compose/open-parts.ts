import { randomUUID } from "node:crypto";
import { measuredEscalation } from "../adapters/escalation/measured.ts";
import { systemClock } from "../adapters/local/clock.ts";
import { noMetrics, noTracer } from "../adapters/local/no-observers.ts";
import { accountOf, systemUserOf } from "../adapters/nats/account/system-user.ts";
import type { Servers } from "../adapters/nats/connection/tls.ts";
import { jwtCodec, parseOperator } from "../adapters/nats/jwt/jwt-codec.ts";
import { openCluster } from "../adapters/nats/probes/cluster.ts";
import { accountSettings, type Config, loadConfig } from "../config/config.ts";
import type { AccountId, AccountSettings } from "../domain/claims/account.ts";
import type { Operator } from "../domain/claims/operator.ts";
import { policiesOf } from "../domain/expiry/policy-match.ts";
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
import { ASSETS_NEED, PROBES_NEED, RESOLVER_NEEDS, RESTARTER_NEEDS } from "../usecases/context/writes.ts";
import type { EscalateDependencies } from "../usecases/paging/escalate.ts";
import {
  type Environment,
  type OpenJournal,
  openJournal,
  openServers,
  openSigner,
  restartsAsNeeded,
} from "./adapters-of.ts";
import { busEscalation, channelsAsNeeded, openBus, openEscalation } from "./open-escalation.ts";
import { openMetrics } from "./open-observers.ts";
import { openOnce } from "./open-once.ts";
import { openSource } from "./open-source.ts";
import { createSecrets } from "./secrets.ts";

export interface PartsOptions {
  readonly configFile: string;
  readonly log: Log;
  readonly signal?: AbortSignal;
  /** The environment that `env:` references are read from. */
  readonly env?: Environment;
  /** Times the steps of the run; nobody by default. Whoever gives it disposes it. */
  readonly tracer?: Tracer;
  /** How long this process may run; for as long as it takes by default. */
  readonly lasts?: Millis;
  /**
   * Reads every secret that is configured before anything is done, for a person who wants to hear at once what is
   * missing. By default each is read when it is first needed, so that a function reads only what its rights are for.
   */
  readonly upFront?: boolean;
  /** Takes each line of metrics; standard output by default, where Lambda reads them. */
  readonly writeMetrics?: (line: string) => void;
  /** Looks and says what would be done; leaves nothing behind and calls nobody. */
  readonly dryRun?: boolean;
  /** Other times to wait than {@link TIMING}, for tests. */
  readonly timing?: Partial<Timing>;
}

/** What is at hand without a secret and without a connection to NATS. */
export interface Base {
  readonly mode: RunMode;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly newId: () => string;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly journal: OpenJournal;
  readonly leases: Leases;
  /** What jobs tell people by: the bus where one is configured, else the channels. */
  readonly escalation: Escalation;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly unknownAfter: Millis;
  readonly settingsOf: Context["settingsOf"];
}

/** The parts of one run, each opened when it is first asked for. Dispose it: it holds a connection and the journal. */
export interface Parts extends AsyncDisposable {
  readonly config: Config;
  readonly settings: ReadonlyMap<AccountId, AccountSettings>;
  readonly base: Base;
  /** The channels of the configuration themselves, whether there is a bus or not. */
  readonly channels: Escalation;
  /** Absent where no bus is configured. */
  readonly announcer?: Announcer;
  /** @throws RelightError `operator.invalid`, `secret.*` */
  operator(): Promise<Operator>;
  /** @throws as {@link operator} */
  pager(): Promise<EscalateDependencies>;
  /** Where the servers are, and what TLS to them needs. @throws RelightError `secret.*` */
  servers(): Promise<Servers>;
  /** Connects to the cluster at the first call. @throws RelightError `nats.*`, `operator.invalid`, `secret.*` */
  context(): Promise<Context>;
  /** A connection of its own; dispose it. @throws RelightError `nats.*` */
  connectWith(systemCredentials: string): Promise<Cluster>;
}

const JOURNAL_STEPS = {
  append: "journal append",
  read: "journal read",
  latest: "journal read",
  acquire: "lease",
} as const;

const RESOLVER_STEPS = { push: "push", running: "ask what runs" } as const;

const onStandardOutput = (line: string): void => void process.stdout.write(`${line}\n`);

const tellsNobody: Escalation = { send: async () => undefined };

/** Jobs are done here, where the mode is known, and not by whoever takes them from a queue; no program is told. */
const withoutTrace = ({ events: _events, ...config }: Config): Config => ({ ...config, queue: "in-process" });

/** A journal that is only read; who writes nothing stands in nobody's way, and needs no lease. */
function unwritten(journal: OpenJournal): OpenJournal {
  return {
    append: async () => undefined,
    read: (query) => journal.read(query),
    accounts: () => journal.accounts(),
    latest: (accounts) => journal.latest(accounts),
    acquire: async () => true,
    release: async () => undefined,
    [Symbol.asyncDispose]: async () => journal[Symbol.asyncDispose]?.(),
  };
}

/** @throws RelightError `config.*`, `journal.unavailable`; with `upFront` also `secret.*`, `operator.invalid`. */
export async function openParts(options: PartsOptions): Promise<Parts> {
  const { configFile, log, signal, env = process.env, lasts, upFront = false, tracer = noTracer } = options;
  const { dryRun = false, writeMetrics = onStandardOutput } = options;
  const loaded = await tracer.step("read configuration", () => loadConfig(configFile, env));
  const config = dryRun ? withoutTrace(loaded) : loaded;
  const { readOnly, mode: configured } = config;
  const mode = modeOf({ dryRun, readOnly, configured, canSign: config.operator.signingKey !== undefined });
  const secrets = tracedPort(tracer, createSecrets({ baseDir: config.baseDir, env }), {
    read: "read secret",
  });
  const operator = openOnce(async () => parseOperator(await secrets.read(config.operator.jwt)));
  const servers = openOnce(() => openServers(config.cluster, secrets));
  if (upFront) await operator();
  if (upFront) await servers();
  const opened = tracedPort(tracer, await openJournal(config), JOURNAL_STEPS);
  const journal = dryRun ? unwritten(opened) : opened;
  const settings = accountSettings(config);
  const bus = await openBus(config);
  const metrics = dryRun ? noMetrics : await openMetrics(config, env, log, writeMetrics);
  const told = dryRun
    ? tellsNobody
    : upFront && bus === undefined
      ? await openEscalation(config, secrets, log)
      : channelsAsNeeded(config, secrets, log);
  // What comes over a bus was counted when it was sent.
  const channels = measuredEscalation(told, metrics, bus === undefined ? "all" : "failures");
  const escalation =
    bus === undefined ? channels : measuredEscalation(busEscalation(bus, config, log), metrics);
  const { restarts, open: openRestarter } = restartsAsNeeded(config, secrets, env, lasts);
  if (upFront) await openRestarter();
  // Each is read once per run, however often it is asked.
  const source = openOnce(async () => openSource(config, await operator(), jwtCodec));
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
  };

  const { timeout } = config.cluster;
  const connectWith = async (systemCredentials: string): Promise<Cluster> =>
    openCluster({
      servers: await servers(),
      systemCredentials,
      timeout,
      clock: systemClock,
      operator: await operator(),
    });
  const connect = async (): Promise<Cluster> =>
    connectWith(await secrets.read(config.cluster.systemCredentials));
  // What could not be reached is not tried again by the same run, which would wait as long for each account.
  let opening: Promise<Cluster> | undefined;

  // An operator's JWT may leave it to the servers' configuration which account is the system account.
  async function withSystemAccount(known: Operator): Promise<Operator> {
    const account = known.systemAccount ?? accountOf(await secrets.read(config.cluster.systemCredentials));
    return account === undefined ? known : { ...known, systemAccount: account };
  }

  async function context(): Promise<Context> {
    if (upFront && allows(mode.mode, "renew")) await signer?.();
    const trusted = await withSystemAccount(await operator());
    opening ??= tracer.step("connect to NATS", connect);
    const { resolver, probes, assets, reopen } = await opening;
    const { restarter, ...whyNone } = restarts;
    return {
      ...base,
      codec: jwtCodec,
      operator: trusted,
      policy: config.policy,
      policyOf: policiesOf(config, trusted),
      reopen,
      resolver: tracedPort(tracer, guarded(mode, resolver, RESOLVER_NEEDS), RESOLVER_STEPS),
      probes: tracedPort(tracer, guarded(mode, probes, PROBES_NEED), { observe: "look" }),
      assets: guarded(mode, assets, ASSETS_NEED),
      ...(restarter === undefined ? {} : { restarter: guarded(mode, restarter, RESTARTER_NEEDS) }),
      systemUser: async () => systemUserOf(await secrets.read(config.cluster.systemCredentials)),
      ...defined({ signer, signal }),
      // Who has all the time is a person's command, which says at once that it can't.
      ...(lasts === undefined
        ? {}
        : { waitsWhileBusy: millis(Math.min(base.timing.busy.timeout, lasts / 4)) }),
      ...whyNone,
      ...(await source()),
    };
  }

  return {
    config,
    settings,
    base,
    channels,
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

/** What signs, opened at the first signature; absent where no key is configured. */
function signerOf(
  config: Config,
  secrets: Secrets,
  operator: () => Promise<Operator>,
): (() => Promise<Signer>) | undefined {
  const { signingKey } = config.operator;
  if (signingKey === undefined) return undefined;
  return openOnce(async () => openSigner(signingKey, secrets, await operator()));
}
