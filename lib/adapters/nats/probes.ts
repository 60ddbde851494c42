import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../domain/account.ts";
import type { Observation, Probe, RunningAccount, ServerFacts } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import type { Clock, Probes, Resolver } from "../../ports.ts";
import type { AccountConnectionSettings } from "./account-connection.ts";
import { lookAsAccount } from "./account-view.ts";
import { readData, type ServerInfo, varz } from "./answers.ts";
import { AT_ONCE, ask, probe, readJson } from "./connection.ts";
import { serversHealth } from "./health.ts";
import { hostedStreams } from "./hosted.ts";
import { metaGroup } from "./meta-group.ts";
import { findStreams } from "./streams.ts";

export interface ProbeSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly asAccount: AccountConnectionSettings;
  servers(): Promise<readonly ServerInfo[]>;
}

export function natsProbes(settings: ProbeSettings): Probes {
  const { clock, resolver } = settings;

  async function servers(): Promise<readonly ServerFacts[]> {
    return pMap(await settings.servers(), (info) => serverFacts(settings, info), { concurrency: AT_ONCE });
  }

  async function observe(account: AccountId, accountKey?: string): Promise<Observation> {
    const [facts, stored, running] = await Promise.all([
      servers(),
      probe(() => resolver.lookup(account)),
      probe(() => resolver.running(account)),
    ]);
    const [streams, accountView] = await Promise.all([
      probe(() => findStreams(settings, account, hosts(facts, running))),
      lookAsAccount(settings.asAccount, account, accountKey, facts, running),
    ]);
    return { account, at: clock.now(), servers: facts, stored, running, streams, accountView };
  }

  async function hosted(): ReturnType<Probes["hosted"]> {
    const facts = await servers();
    return probe(() => hostedStreams(settings, facts));
  }

  async function meta(domain?: string): ReturnType<Probes["meta"]> {
    const facts = await servers();
    const asked = domain === undefined ? facts : facts.filter((server) => server.domain === domain);
    return metaGroup(settings.connection, settings.timeout, asked);
  }

  const health: Probes["health"] = async () =>
    serversHealth(settings.connection, settings.timeout, await servers());

  return { servers, meta, health, observe, hosted };
}

/** The servers that can hold streams of the account: those with JetStream that have it loaded. */
function hosts(
  servers: readonly ServerFacts[],
  running: Probe<readonly RunningAccount[]>,
): readonly ServerFacts[] {
  const without = running.ok ? running.value.filter((entry) => !entry.loaded || !entry.jetstream) : [];
  const names = new Set(without.map(({ server }) => server));
  return servers.filter(({ name, jetstream }) => jetstream && !names.has(name));
}

async function serverFacts(settings: ProbeSettings, info: ServerInfo): Promise<ServerFacts> {
  const { id, name, ver: version, jetstream, domain, cluster, tags, clockSkew } = info;
  return {
    id,
    name,
    version,
    jetstream,
    ...(domain ? { domain } : {}),
    ...(cluster ? { cluster } : {}),
    tags: tags ?? [],
    ...(clockSkew === undefined ? {} : { clockSkew }),
    topology: await topologyOf(settings, info),
  };
}

/** A server alone is proved, not assumed: no cluster name, no gateway, no route. */
async function topologyOf(
  { connection, timeout }: ProbeSettings,
  info: ServerInfo,
): Promise<ServerFacts["topology"]> {
  if (info.cluster !== undefined) return "clustered";
  const seen = await probe(async () =>
    readData(varz, readJson(await ask(connection, `$SYS.REQ.SERVER.${info.id}.VARZ`, "", timeout)), "VARZ"),
  );
  if (!seen.ok) return "unknown";
  const { cluster, gateway, routes } = seen.value;
  return cluster.name || gateway.name || routes > 0 ? "clustered" : "standalone";
}
