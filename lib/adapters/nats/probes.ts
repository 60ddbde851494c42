import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../domain/account.ts";
import type { JsonObject } from "../../domain/json.ts";
import type {
  ConsumerFacts,
  Observation,
  Probe,
  RunningAccount,
  ServerFacts,
  StreamFacts,
} from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import type { Clock, Probes, Resolver } from "../../ports.ts";
import type { AccountConnectionSettings } from "./account-connection.ts";
import { lookAsAccount } from "./account-view.ts";
import { type ConsumerDetail, jsz, readData, type ServerInfo, type StreamDetail, varz } from "./answers.ts";
import { AT_ONCE, ask, probe, readJson } from "./connection.ts";
import { findInterest, type Interest } from "./interest.ts";

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
      probe(() => streamsOf(settings, account, hosts(facts, running))),
      lookAsAccount(settings.asAccount, account, accountKey, facts, running),
    ]);
    return { account, at: clock.now(), servers: facts, stored, running, streams, accountView };
  }

  return { servers, observe };
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

async function streamsOf(
  settings: ProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
): Promise<readonly StreamFacts[]> {
  const found = await pMap(servers, (server) => streamsOn(settings, account, server), {
    concurrency: AT_ONCE,
  });
  return leadersFirst(found.flat());
}

async function streamsOn(
  settings: ProbeSettings,
  account: AccountId,
  server: ServerFacts,
): Promise<readonly StreamFacts[]> {
  const { connection, timeout } = settings;
  const body = JSON.stringify({ account, streams: true, consumer: true, config: true });
  const answer = await ask(connection, `$SYS.REQ.SERVER.${server.id}.JSZ`, body, timeout);
  const accounts = readData(jsz, readJson(answer), "JSZ").account_details ?? [];
  const streams = accounts.find(({ id }) => id === account)?.stream_detail ?? [];
  const subjects = streams.flatMap((stream) => [
    ...(stream.config.subjects ?? []),
    ...(stream.consumer_detail ?? []).map(({ name }) => nextMessage(stream.name, name)),
  ]);
  const interest = await findInterest({ connection, timeout, account, server: server.id }, subjects);
  return streams.map((detail) => streamFacts(detail, server.name, interest));
}

/** Every consumer listens here, push consumers and those without acknowledgements too (2.9.10 to 2.15.1). */
function nextMessage(stream: string, consumer: string): string {
  return `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
}

function streamFacts(detail: StreamDetail, server: string, interest: Interest): StreamFacts {
  const { name, config, state, cluster } = detail;
  const subjects = config.subjects ?? [];
  return {
    ...{ server, name, subjects, storage: config.storage, replicas: config.num_replicas },
    ...(cluster?.leader === undefined ? {} : { leader: cluster.leader }),
    ...{ messages: state.messages, firstSeq: state.first_seq, lastSeq: state.last_seq },
    config: config as JsonObject,
    deafSubjects: deafOf(subjects, interest),
    consumers: (detail.consumer_detail ?? []).map((consumer) => consumerFacts(detail, consumer, interest)),
  };
}

function deafOf(subjects: readonly string[], interest: Interest): Probe<readonly string[]> {
  const deaf: string[] = [];
  for (const subject of subjects) {
    const heard = interest(subject);
    if (!heard.ok) return heard;
    if (!heard.value) deaf.push(subject);
  }
  return { ok: true, value: deaf };
}

function consumerFacts(stream: StreamDetail, consumer: ConsumerDetail, interest: Interest): ConsumerFacts {
  const { name, config, cluster } = consumer;
  return {
    name,
    storage: config.mem_storage ? "memory" : stream.config.storage,
    durable: config.durable_name !== undefined,
    ...(cluster?.leader === undefined ? {} : { leader: cluster.leader }),
    heard: interest(nextMessage(stream.name, name)),
    config: config as JsonObject,
  };
}

async function serverFacts(settings: ProbeSettings, info: ServerInfo): Promise<ServerFacts> {
  const { id, name, ver: version, jetstream, domain } = info;
  return {
    id,
    name,
    version,
    jetstream,
    ...(domain ? { domain } : {}),
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

/** Where several servers hold a replica, the leader's word counts; a stream without leader keeps one entry. */
function leadersFirst(streams: readonly StreamFacts[]): readonly StreamFacts[] {
  const byName = new Map<string, StreamFacts>();
  for (const stream of streams)
    if (!byName.has(stream.name) || stream.leader === stream.server) byName.set(stream.name, stream);
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}
