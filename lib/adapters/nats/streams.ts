import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../domain/account.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { ConsumerFacts, Peer, Probe, ServerFacts, StreamFacts } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import { type ConsumerDetail, jsz, readData, type StreamDetail } from "./answers.ts";
import { AT_ONCE, ask, readJson } from "./connection.ts";
import { findInterest, type Interest } from "./interest.ts";

export interface StreamProbeSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
}

/** One replica of a stream as its server tells of it. */
interface Replica {
  readonly server: string;
  readonly detail: StreamDetail;
}

/** A consumer as the best-informed server tells of it. */
interface ConsumerReplica {
  readonly server: string;
  readonly detail: ConsumerDetail;
}

/**
 * Every stream and consumer of the account, and whether JetStream hears them. Only a leader listens, and a
 * consumer's leader need not be its stream's: each is asked about on the server that leads it.
 */
export async function findStreams(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
): Promise<readonly StreamFacts[]> {
  const perServer = await pMap(servers, (server) => replicasOn(settings, account, server), {
    concurrency: AT_ONCE,
  });
  const streams = groupByStream(perServer.flat());
  const heard = await hearing(settings, account, servers, streams);
  return streams.map((stream) => streamFacts(stream, heard));
}

interface StreamGroup {
  readonly best: Replica;
  readonly consumers: readonly ConsumerReplica[];
}

async function replicasOn(
  { connection, timeout }: StreamProbeSettings,
  account: AccountId,
  server: ServerFacts,
): Promise<readonly Replica[]> {
  const body = JSON.stringify({ account, streams: true, consumer: true, config: true });
  const answer = await ask(connection, `$SYS.REQ.SERVER.${server.id}.JSZ`, body, timeout);
  const accounts = readData(jsz, readJson(answer), "JSZ").account_details ?? [];
  const details = accounts.find(({ id }) => id === account)?.stream_detail ?? [];
  return details.map((detail) => ({ server: server.name, detail }));
}

/** A consumer of one replica lives on one server, which need not be the stream's leader: all tell of all. */
function groupByStream(replicas: readonly Replica[]): readonly StreamGroup[] {
  const names = [...new Set(replicas.map(({ detail }) => detail.name))].sort();
  return names.flatMap((name) => {
    const own = replicas.filter(({ detail }) => detail.name === name);
    const best = preferLeader(own);
    if (best === undefined) return [];
    const all = own.flatMap(({ server, detail }) =>
      (detail.consumer_detail ?? []).map((consumer) => ({ server, detail: consumer })),
    );
    const consumers = [...new Set(all.map(({ detail }) => detail.name))].sort();
    const bestOf = (consumer: string) => preferLeader(all.filter(({ detail }) => detail.name === consumer));
    return [{ best, consumers: consumers.map(bestOf).filter((found) => found !== undefined) }];
  });
}

type Led = { readonly server: string; readonly detail: Pick<StreamDetail, "cluster"> };

/** The leader's own word, else that of one who knows of a leader, else anyone's. */
function preferLeader<T extends Led>(replicas: readonly T[]): T | undefined {
  return (
    replicas.find(({ server, detail }) => detail.cluster?.leader === server) ??
    replicas.find(({ detail }) => detail.cluster?.leader) ??
    replicas[0]
  );
}

/** Who leads it. Where nothing is said of a group there is none: the server that holds it leads it. */
function leaderOf({ server, detail }: Led): string | undefined {
  return detail.cluster === undefined ? server : detail.cluster.leader;
}

function peersOf({ detail }: Led): readonly Peer[] {
  return (detail.cluster?.replicas ?? []).map(({ name, current }) => ({ name, current }));
}

/** Whether what `led` stands for is heard on `subject`. */
type Hearing = (led: Led, subject: string) => Probe<boolean>;

async function hearing(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  streams: readonly StreamGroup[],
): Promise<Hearing> {
  const questions = streams.flatMap(({ best, consumers }) => [
    ...subjectsOf(best).map((subject) => ({ leader: leaderOf(best), subject })),
    ...consumers.map((consumer) => ({ leader: leaderOf(consumer), subject: nextMessage(best, consumer) })),
  ]);
  const answers = await pMap(
    servers,
    async ({ id, name }): Promise<[string, Interest]> => {
      const subjects = questions.filter(({ leader }) => leader === name).map(({ subject }) => subject);
      return [name, await findInterest({ ...settings, account, server: id }, subjects)];
    },
    { concurrency: AT_ONCE },
  );
  const interests = new Map(answers);
  return (led, subject) => {
    const leader = leaderOf(led);
    const interest = leader === undefined ? undefined : interests.get(leader);
    if (interest !== undefined) return interest(subject);
    const message = leader ? `its leader ${leader} does not answer` : "it has no leader";
    return { ok: false, code: "nats.timeout", message };
  };
}

function subjectsOf({ detail }: Replica): readonly string[] {
  return detail.config.subjects ?? [];
}

/** Every consumer listens here, push consumers and those without acknowledgements too (2.9.10 to 2.15.1). */
function nextMessage(stream: Replica, consumer: ConsumerReplica): string {
  return `$JS.API.CONSUMER.MSG.NEXT.${stream.detail.name}.${consumer.detail.name}`;
}

function streamFacts({ best, consumers }: StreamGroup, heard: Hearing): StreamFacts {
  const { name, config, state } = best.detail;
  const leader = leaderOf(best);
  return {
    ...{ server: leader ?? best.server, name, subjects: subjectsOf(best), config: config as JsonObject },
    ...{ storage: config.storage, replicas: config.num_replicas },
    ...(leader === undefined ? {} : { leader }),
    peers: peersOf(best),
    ...{ messages: state.messages, firstSeq: state.first_seq, lastSeq: state.last_seq },
    deafSubjects: deafOf(best, heard),
    consumers: consumers.map((consumer) => consumerFacts(best, consumer, heard)),
  };
}

function deafOf(stream: Replica, heard: Hearing): Probe<readonly string[]> {
  const deaf: string[] = [];
  for (const subject of subjectsOf(stream)) {
    const hears = heard(stream, subject);
    if (!hears.ok) return hears;
    if (!hears.value) deaf.push(subject);
  }
  return { ok: true, value: deaf };
}

function consumerFacts(stream: Replica, consumer: ConsumerReplica, heard: Hearing): ConsumerFacts {
  const { name, config } = consumer.detail;
  const leader = leaderOf(consumer);
  return {
    ...{ name, config: config as JsonObject, server: leader ?? consumer.server },
    storage: config.mem_storage ? "memory" : stream.detail.config.storage,
    durable: config.durable_name !== undefined,
    ...(leader === undefined ? {} : { leader }),
    peers: peersOf(consumer),
    heard: heard(consumer, nextMessage(stream, consumer)),
  };
}
