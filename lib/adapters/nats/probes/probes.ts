import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { type AccountId, type Expectations, isAccountId, NOTHING_EXPECTED } from "../../../domain/claims/account.ts";
import { connectionRefusal } from "../../../domain/limits/connection-use.ts";
import { isOfAsset } from "../../../domain/observation/agreement.ts";
import { domainQuestions, homeDomain } from "../../../domain/observation/domains.ts";
import { awayFrom, type MetaGroup } from "../../../domain/observation/meta-group.ts";
import type {
  Observation,
  Probe,
  RunningAccount,
  ServerFacts,
  StreamFacts,
} from "../../../domain/observation/observation.ts";
import { withoutVanished } from "../../../domain/observation/still-there.ts";
import { defined } from "../../../domain/time/defined.ts";
import { type EpochMillis, epochMillis, type Millis } from "../../../domain/time/time.ts";
import { jetStreamFindings } from "../../../domain/verdict/jetstream-findings.ts";
import { originFindings } from "../../../domain/verdict/origins-findings.ts";
import { probe } from "../../../errors.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Probes } from "../../../ports/cluster.ts";
import type { Resolver } from "../../../ports/resolver.ts";
import type { AccountConnectionSettings } from "../account/account-connection.ts";
import { accountz, readData, type ServerInfo, varz } from "../connection/answers.ts";
import { ask, readJson } from "../connection/asking.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { shared } from "../connection/shared.ts";
import { serversTrust } from "../connection/trust.ts";
import type { KindOf } from "../jwt/resolver-kinds.ts";
import { existingOn } from "../streams/existing.ts";
import { forgottenBy } from "../streams/forgotten.ts";
import { listenToOrigins } from "../streams/heartbeats.ts";
import { withImports } from "../streams/imports.ts";
import { findStreams, holdingsNow, holdingsOf } from "../streams/streams.ts";
import { askingCapacities } from "./capacity.ts";
import { serversHealth } from "./health.ts";
import { hostedStreams } from "./hosted.ts";
import { leafConnections } from "./leafs.ts";
import { metaGroup } from "./meta-group.ts";
import { serversCheckup } from "./vitals.ts";

export interface ProbeSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly asAccount: AccountConnectionSettings;
  servers(): Promise<readonly ServerInfo[]>;
  readonly kindOf: KindOf;
}

const asAccounts = () => import("../streams/account-view.ts");

export function natsProbes(settings: ProbeSettings): Omit<Probes, "deletions"> {
  const { clock, resolver } = settings;
  const capacities = askingCapacities(settings);
  const metaOf = shared(
    (of: readonly ServerFacts[]) => metaGroup(settings.connection, settings.timeout, of),
    (of) => of.map(({ id }) => id).join(),
  );

  async function servers(): Promise<readonly ServerFacts[]> {
    return pMap(await settings.servers(), (info) => serverFacts(settings, info), { concurrency: AT_ONCE });
  }

  async function observe(
    account: AccountId,
    accountKey?: string,
    expected: Expectations = NOTHING_EXPECTED,
    listens = true,
  ): Promise<Observation> {
    // A sweep, which looks at no account, needs nothing of it. It is loaded while the servers answer.
    const loading = asAccounts();
    const [facts, stored, running] = await Promise.all([
      servers(),
      probe(() => resolver.lookup(account)),
      probe(() => resolver.running(account)),
    ]);
    const domain = homeDomain(facts, settings.connection.info?.server_id ?? "");
    const able = hosts(facts, running);
    // If this failed, it would hide what the servers report.
    const itsKey = connectionRefusal(running) === undefined ? accountKey : undefined;
    const askForgotten = forgottenBy(settings.asAccount, account, itsKey, running);
    const [found, foundElsewhere, leafnodes, group, stores] = await Promise.all([
      probe(async () => {
        const streams = await findStreams(settings, account, within(able, domain), askForgotten);
        return withImports(settings, account, running, facts, streams);
      }),
      probe(() => findElsewhere(settings, account, able, domain)),
      probe(() =>
        expected.leafnodes.length > 0
          ? leafConnections(settings, facts, undefined)
          : leafConnections(settings, withLeafnodes(facts, running), account),
      ),
      metaOf(within(facts, domain)),
      probe(() => capacities(able)),
    ]);
    const questions = domainQuestions({ streams: found, elsewhere: foundElsewhere }, domain, expected.domains);
    const { asAccount } = settings;
    const holdings = found.ok
      ? {
          held: holdingsOf(found.value),
          nodeless: nodelessOf(found.value),
          heldNow: () => holdingsNow(settings, account, within(able, domain)),
          away: awayIn(group, facts),
        }
      : undefined;
    const wanted = { questions, holdings };
    const listened = async (reported: Probe<readonly StreamFacts[]>) =>
      reported.ok && listens ? probe(() => listenToOrigins(settings, account, able, reported.value)) : reported;
    const { lookAsAccount } = await loading;
    // Right after the servers' answers, to compare the same state.
    const [accountView, streams, elsewhere] = await Promise.all([
      lookAsAccount(asAccount, account, accountKey, facts, running, wanted),
      listened(found),
      listened(foundElsewhere),
    ]);
    // Signing in loads the account.
    const loadedNow =
      accountView.ok === true && isNowhere(running) ? await probe(() => resolver.running(account)) : running;
    const seen = {
      servers: facts,
      stored,
      running: loadedNow,
      streams,
      elsewhere,
      leafnodes,
      accountView,
      meta: group,
    };
    const home = defined({ domain });
    const whole = { account, at: clock.now(), ...home, ...seen, capacities: stores };
    // If everything is healthy, nothing relevant has been deleted meanwhile.
    const faults = [...jetStreamFindings(whole), ...originFindings(whole, expected, [])];
    if (!faults.some(isOfAsset)) return whole;
    const still = await probe(() => existingOn(settings, account, able));
    return still.ok ? withoutVanished(whole, still.value) : whole;
  }

  const isNowhere = (running: Probe<readonly RunningAccount[]>): boolean =>
    running.ok && running.value.every(({ loaded }) => !loaded);

  async function accounts(): ReturnType<Probes["accounts"]> {
    const infos = await settings.servers();
    return probe(async () => {
      const perServer = await pMap(infos, (info) => accountsOn(settings, info), { concurrency: AT_ONCE });
      return [...new Set(perServer.flat())];
    });
  }

  async function hosted(withConsumers = false): ReturnType<Probes["hosted"]> {
    const facts = await servers();
    return probe(() => hostedStreams(settings, facts, withConsumers));
  }

  async function meta(domain?: string): ReturnType<Probes["meta"]> {
    const facts = await servers();
    const asked = domain === undefined ? facts : facts.filter((server) => server.domain === domain);
    return metaGroup(settings.connection, settings.timeout, asked);
  }

  async function capacity(): ReturnType<Probes["capacity"]> {
    const facts = await servers();
    return probe(() => capacities(facts));
  }

  const health: Probes["health"] = async () => serversHealth(settings.connection, settings.timeout, await servers());

  const trust: Probes["trust"] = async () =>
    serversTrust(settings.connection, settings.timeout, await settings.servers());

  const checkup: Probes["checkup"] = async () => serversCheckup(settings, await servers());

  return { servers, meta, health, observe, accounts, hosted, trust, capacity, checkup };
}

/**
 * All loaded accounts of a server. Accounts with streams are loaded at the server's start, so ACCOUNTZ has every account of
 * JSZ (tested on 2.9.10, 2.10.27, 2.15.1). ACCOUNTZ has no pages.
 */
async function accountsOn({ connection, timeout }: ProbeSettings, { id }: ServerInfo): Promise<readonly AccountId[]> {
  const answer = readJson(await ask(connection, `$SYS.REQ.SERVER.${id}.ACCOUNTZ`, "", timeout));
  return (readData(accountz, answer, "ACCOUNTZ").accounts ?? []).filter(isAccountId);
}

const nodelessOf = (streams: readonly StreamFacts[]): ReadonlySet<string> =>
  new Set(streams.filter(({ nodeMissingOn }) => nodeMissingOn.length > 0).map(({ name }) => name));

/** Whether members of the meta group are away, and whether its leader has given up on all of them. */
function awayIn(meta: Probe<MetaGroup | undefined>, servers: readonly ServerFacts[]): "none" | "given-up" | "silent" {
  if (!meta.ok) return "silent";
  if (meta.value === undefined) return "none";
  const { names, unnamed } = awayFrom(meta.value, new Set(servers.map(({ name }) => name)));
  if (names.length === 0 && unnamed === 0) return "none";
  const offline = new Set(meta.value.peers.filter((peer) => peer.offline).map(({ name }) => name));
  return unnamed === 0 && names.every((name) => offline.has(name)) ? "given-up" : "silent";
}

const within = (servers: readonly ServerFacts[], domain: string | undefined): readonly ServerFacts[] =>
  servers.filter((server) => server.domain === domain);

/** Observes each domain separately, because two domains may have streams with the same name. */
async function findElsewhere(
  settings: ProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  home: string | undefined,
): Promise<readonly StreamFacts[]> {
  const domains = new Set(servers.map(({ domain }) => domain).filter((domain) => domain !== home));
  const perDomain = [...domains].map((domain) => findStreams(settings, account, within(servers, domain)));
  return (await Promise.all(perDomain)).flat();
}

/** The servers that may hold streams of the account: those with JetStream that have it loaded. */
function hosts(servers: readonly ServerFacts[], running: Probe<readonly RunningAccount[]>): readonly ServerFacts[] {
  const without = running.ok ? running.value.filter((entry) => !entry.loaded || !entry.jetstream) : [];
  const names = new Set(without.map(({ server }) => server));
  return servers.filter(({ name, jetstream }) => jetstream && !names.has(name));
}

/**
 * Without those that have just said that no leafnode is connected to the account: INFO counts what LEAFZ lists, of both
 * directions (tested on 2.9.10, 2.10.27, 2.15.1).
 */
function withLeafnodes(
  servers: readonly ServerFacts[],
  running: Probe<readonly RunningAccount[]>,
): readonly ServerFacts[] {
  const without = running.ok
    ? running.value.filter((entry) => !entry.loaded || entry.connections?.leafnodes === 0)
    : [];
  const names = new Set(without.map(({ server }) => server));
  return servers.filter(({ name }) => !names.has(name));
}

async function serverFacts(settings: ProbeSettings, info: ServerInfo): Promise<ServerFacts> {
  const { id, name, ver: version, jetstream, domain, cluster, tags, clockSkew } = info;
  const resolver = await settings.kindOf(info);
  return {
    id,
    name,
    version,
    jetstream,
    ...(domain ? { domain } : {}),
    ...(cluster ? { cluster } : {}),
    tags: tags ?? [],
    ...defined({ clockSkew, resolver }),
    ...(resolver === "memory-or-url" ? defined({ configuredAt: await configuredAt(settings, info) }) : {}),
    topology: await topologyOf(settings, info),
  };
}

const askVarz = ({ connection, timeout }: ProbeSettings, { id }: ServerInfo) =>
  probe(async () => readData(varz, readJson(await ask(connection, `$SYS.REQ.SERVER.${id}.VARZ`, "", timeout)), "VARZ"));

/** When the server started, or reloaded its configuration. */
async function configuredAt(settings: ProbeSettings, info: ServerInfo): Promise<EpochMillis | undefined> {
  const seen = await askVarz(settings, info);
  const at = Date.parse((seen.ok && seen.value.config_load_time) || "");
  return Number.isNaN(at) ? undefined : epochMillis(at);
}

/**
 * A standalone server must be proved: no cluster, no gateway, no route. A leafnode without a cluster reports its own name
 * as a cluster (tested on 2.9.10, 2.10.27, 2.15.1).
 */
async function topologyOf(settings: ProbeSettings, info: ServerInfo): Promise<ServerFacts["topology"]> {
  if (info.cluster !== undefined && info.cluster !== info.name) return "clustered";
  const seen = await askVarz(settings, info);
  if (!seen.ok) return "unknown";
  const { cluster, gateway, routes, leaf } = seen.value;
  if (cluster.cluster_port || gateway.name || routes > 0) return "clustered";
  if (leaf.remotes?.length) return "leaf";
  return info.cluster || cluster.name ? "clustered" : "standalone";
}
