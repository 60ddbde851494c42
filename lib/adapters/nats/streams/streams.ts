import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { nameOfGroup } from "../../../domain/ladder/step-down.ts";
import type { Deliveries } from "../../../domain/limits/server-use.ts";
import type { ConsumerFacts, ServerFacts, StreamFacts } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { reportsRaftGroups } from "../../../domain/verdict/defects.ts";
import { probe } from "../../../errors.ts";
import type { ConsumerDetail, StreamDetail } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import {
  type Gathered,
  groupBy,
  type Led,
  leaderOf,
  peersOf,
  type Replica,
  type Reported,
  type StreamGroup,
} from "../connection/reports.ts";
import { askingServer, jetStreamAccount } from "../probes/lists.ts";
import { type Differences, findDifferences } from "./differences.ts";
import { type AskForgotten, forgottenAmong, type Held, NOBODY, suspectsAmong } from "./forgotten.ts";
import {
  deafOf,
  directFacts,
  findInterests,
  heardBy,
  type Interests,
  isAbandoned,
  type Mirrors,
  mirrorsAmong,
  nextMessage,
  runsTwice,
  subjectsOf,
} from "./hearing.ts";
import { reportedOrigins } from "./origins.ts";

import type { Holdings } from "./unheld.ts";

export interface StreamProbeSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
}

/**
 * All streams and consumers of the account on the servers of one domain, and whether JetStream listens for them. Only a
 * leader subscribes, and a consumer's leader may differ from its stream's, so each is checked on its own leader. Every
 * replica answers direct gets.
 */
export async function findStreams(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  askForgotten: AskForgotten = NOBODY,
): Promise<readonly StreamFacts[]> {
  const perServer = await pMap(servers, (server) => heldOn(settings, account, server), {
    concurrency: AT_ONCE,
  });
  const held = perServer.flat();
  const forgotten = await askForgotten(suspectsAmong(held));
  const asked = new Set(servers.map(({ name }) => name));
  const streams = groupByStream(held, asked, forgotten);
  const [interests, differences] = await Promise.all([
    findInterests(settings, account, servers, streams),
    findDifferences(streams, async () => {
      const again = (server: ServerFacts) => heldOn(settings, account, server, { consumer: false, raft: false });
      const answers = await pMap(servers, (server) => probe(() => again(server)), { concurrency: AT_ONCE });
      return answers.flatMap((answer) => (answer.ok ? answer.value : []));
    }),
  ]);
  const flat = new Set(held.filter(({ isFlat }) => isFlat).map(({ server }) => server.name));
  const around = { mirrors: mirrorsAmong(streams), domain: servers[0]?.domain, flat, differences };
  return streams.map((stream) => streamFacts(stream, interests, around));
}

/** What a server holds of the account, by default with consumers and Raft groups. */
export async function heldOn(
  settings: StreamProbeSettings,
  account: AccountId,
  server: ServerFacts,
  more = { consumer: true, raft: true },
): Promise<readonly Held[]> {
  const askJsz = askingServer(settings, server.id, "JSZ");
  const found = await jetStreamAccount(askJsz, account, { streams: true, config: true, ...more });
  const details = found?.stream_detail ?? [];
  const isFlat = found !== undefined && (found.reserved_memory !== 0 || found.reserved_storage !== 0);
  return details.map((detail) => ({ server, detail, isFlat }));
}

/** The names of these streams and their consumers, including forgotten ones. */
export const holdingsOf = (streams: readonly StreamFacts[]): Holdings =>
  new Set(
    streams.flatMap(({ name: stream, consumers, forgotten }) => [
      stream,
      ...[...consumers, ...forgotten].map(({ name: consumer }) => nameOfGroup({ stream, consumer })),
    ]),
  );

/** The same, as servers report it now. */
export async function holdingsNow(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
): Promise<Holdings> {
  const more = { consumer: true, raft: false };
  const held = await pMap(servers, (server) => heldOn(settings, account, server, more), {
    concurrency: AT_ONCE,
  });
  return new Set(
    held
      .flat()
      .flatMap(({ detail: { name: stream, consumer_detail: consumers } }) => [
        stream,
        ...(consumers ?? []).map(({ name: consumer }) => nameOfGroup({ stream, consumer })),
      ]),
  );
}

/** Forgotten consumers also lack a group, but this does not mean that their stream lost its node. */
function replicaOf({ server, detail }: Held, forgotten: ReadonlySet<string>): Replica {
  const known = detail.consumer_detail?.filter(
    ({ name: consumer }) => !forgotten.has(nameOfGroup({ stream: detail.name, consumer })),
  );
  const reports = { ...detail, consumer_detail: known };
  return {
    server: server.name,
    detail: reports,
    clustered: server.topology === "clustered",
    nodeMissing: isNodeMissing(server, reports),
  };
}

/** Combines the reports of all servers, because a single-replica consumer may not be on the stream's leader. */
function groupByStream(
  held: readonly Held[],
  asked: ReadonlySet<string>,
  forgotten: ReadonlySet<string>,
): readonly StreamGroup[] {
  const replicas = held.map((one) => replicaOf(one, forgotten));
  const forgottenOf = groupBy(forgottenAmong(held, forgotten), ({ stream }) => stream);
  return gatherByName(replicas, asked).map((stream) => {
    const consumers = stream.reports.flatMap(({ server, clustered, detail }) =>
      (detail.consumer_detail ?? []).map((consumer) => ({
        server,
        clustered,
        detail: consumer,
        // If streams have groups, every consumer reports its own, even a group of one.
        nodeMissing: clustered && consumer.cluster === undefined,
      })),
    );
    const lost = forgottenOf.get(stream.best.detail.name) ?? [];
    return {
      ...stream,
      consumers: gatherByName(consumers, asked),
      forgotten: lost.map(({ consumer }) => consumer),
    };
  });
}

function gatherByName<Detail extends Led["detail"] & { readonly name: string }>(
  reports: readonly Reported<Detail>[],
  asked: ReadonlySet<string>,
): readonly Gathered<Detail>[] {
  const byName = groupBy(reports, ({ detail }) => detail.name);
  return [...byName.keys()].sort().flatMap((name) => {
    const own = byName.get(name) ?? [];
    const best = preferLeader(own);
    if (best === undefined) return [];
    const without = own.filter(({ nodeMissing, server }) => nodeMissing && isMember(best, server));
    const missing = [...without.map(({ server }) => server), ...absentMembers(best, own, asked)];
    return [{ best, reports: own, nodeMissingOn: missing.sort() }];
  });
}

/** A server outside the group may hold an old copy on disk: a peer-removed one loads it (tested on 2.10.20). */
function isMember(best: Reported<Led["detail"]>, server: string): boolean {
  return best.nodeMissing || best.server === server || peersOf(best).some(({ name }) => name === server);
}

/** Members of the group that answered but do not hold it, because it was in memory and is gone there. */
function absentMembers<Detail extends Led["detail"]>(
  best: Reported<Detail>,
  reports: readonly Reported<Detail>[],
  asked: ReadonlySet<string>,
): readonly string[] {
  const holders = new Set(reports.map(({ server }) => server));
  const members = peersOf(best).map(({ name }) => name);
  return members.filter((name) => asked.has(name) && !holders.has(name));
}

/**
 * Whether the server holds a stream without a Raft node of its group, after a restart while the account was expired (tested
 * on 2.9.10, 2.10.27 and 2.15.1). Such a server reports itself as the leader.
 */
export function isNodeMissing({ version, name, topology }: ServerFacts, detail: StreamDetail): boolean {
  const { cluster, config, consumer_detail: consumers, stream_raft_group: group } = detail;
  // A standalone server also reports itself as the leader, and has no groups.
  if (topology !== "clustered" || cluster === undefined || group !== undefined) return false;
  if (!reportsRaftGroups(version)) {
    const alone = config.num_replicas > 1 && cluster.leader === name && !cluster.replicas?.length;
    return alone || (consumers ?? []).some((consumer) => consumer.cluster === undefined);
  }
  return true;
}

/** The leader's report, otherwise one that names a leader, otherwise one with a Raft node, otherwise any. */
function preferLeader<T extends Reported<Led["detail"]>>(replicas: readonly T[]): T | undefined {
  const members = replicas.filter(({ nodeMissing }) => !nodeMissing);
  return (
    members.find(({ server, detail }) => detail.cluster?.leader === server) ??
    members.find(({ detail }) => detail.cluster?.leader) ??
    members[0] ??
    replicas[0]
  );
}

interface Surroundings {
  readonly mirrors: Mirrors;
  readonly domain: string | undefined;
  /** Servers that apply flat limits. */
  readonly flat: ReadonlySet<string>;
  readonly differences: Differences;
}

function streamFacts(stream: StreamGroup, interests: Interests, around: Surroundings): StreamFacts {
  const { mirrors, domain, flat, differences } = around;
  const { best, nodeMissingOn, consumers, forgotten } = stream;
  const { name, config, state, created } = best.detail;
  const leader = leaderOf(best);
  return {
    server: leader ?? best.server,
    name,
    subjects: subjectsOf(best),
    config: config as JsonObject,
    storage: config.storage,
    replicas: config.num_replicas,
    ...defined({ domain, leader }),
    reportedBy: best.server,
    peers: peersOf(best),
    nodeMissingOn,
    origins: reportedOrigins(best.detail, leader === best.server),
    ...defined({ created, lastAt: state.last_ts }),
    flatOn: stream.reports.map(({ server }) => server).filter((server) => flat.has(server)),
    messages: state.messages,
    bytes: state.bytes,
    firstSeq: state.first_seq,
    lastSeq: state.last_seq,
    deafSubjects: deafOf(best, interests),
    ...(runsTwice(best, interests) === true ? { runsTwice: true } : {}),
    ...defined({ differing: differences.get(name) }),
    ...directFacts(stream, interests, mirrors),
    consumers: consumers.map((consumer) => consumerFacts(best, consumer, interests)),
    forgotten,
  };
}

function consumerFacts(
  stream: Replica,
  { best: consumer, nodeMissingOn }: Gathered<ConsumerDetail>,
  interests: Interests,
): ConsumerFacts {
  const { name, config, created } = consumer.detail;
  const leader = leaderOf(consumer);
  return {
    name,
    config: config as JsonObject,
    server: leader ?? consumer.server,
    storage: config.mem_storage ? "memory" : stream.detail.config.storage,
    durable: config.durable_name !== undefined,
    ...defined({ leader, created }),
    reportedBy: consumer.server,
    peers: peersOf(consumer),
    nodeMissingOn,
    ackFloor: consumer.detail.ack_floor.stream_seq,
    ...(leader === consumer.server ? defined({ deliveries: deliveriesOf(consumer.detail) }) : {}),
    heard: heardBy(interests, consumer, nextMessage(stream, consumer)),
    ...(isAbandoned(consumer, interests) ? { abandoned: true } : {}),
  };
}

/** Followers count differently, so only a leader's report is meant. */
function deliveriesOf(detail: ConsumerDetail): Deliveries | undefined {
  const { num_ack_pending: ackPending, num_redelivered: redelivered = 0, num_waiting: waiting = 0 } = detail;
  if (ackPending === undefined) return undefined;
  return { ackPending, redelivered, waiting, bound: detail.push_bound === true };
}
