import pMap from "p-map";
import { type AccountId, isAccountId } from "../../../domain/claims/account.ts";
import { isEmptiedByLoad } from "../../../domain/ladder/emptied.ts";
import type { HostedStream, ServerFacts } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { AccountDetail, ConsumerDetail, StreamDetail } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { isNodeMissing } from "../streams/streams.ts";
import { askingServer, jetStreamAccounts, type ListSettings } from "./lists.ts";

/** All streams of all accounts, once per server that holds them. @throws RelightError `nats.*` */
export async function hostedStreams(
  settings: ListSettings,
  servers: readonly ServerFacts[],
  withConsumers = false,
): Promise<readonly HostedStream[]> {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const perServer = await pMap(hosts, (server) => streamsOn(settings, server, withConsumers), {
    concurrency: AT_ONCE,
  });
  return perServer.flat();
}

async function streamsOn(
  settings: ListSettings,
  server: ServerFacts,
  consumer: boolean,
): Promise<readonly HostedStream[]> {
  const accounts = await jetStreamAccounts(askingServer(settings, server.id, "JSZ"), {
    streams: true,
    config: true,
    raft: true,
    consumer,
  });
  return accounts.flatMap((account) => streamsOf(server, account, consumer));
}

function streamsOf(
  facts: ServerFacts,
  { id: account, stream_detail: streams }: AccountDetail,
  withConsumers: boolean,
): HostedStream[] {
  if (!isAccountId(account)) return [];
  const { name: server } = facts;
  return (streams ?? []).map((detail) => ({
    ...hostedStream(account, server, detail, withConsumers),
    ...(isNodeMissing(facts, detail) ? { nodeMissing: true } : {}),
    ...(isEmptied(facts, detail) ? { emptiedByLoad: true } : {}),
  }));
}

function isEmptied({ version }: ServerFacts, { config, state }: StreamDetail): boolean {
  const { messages, first_seq: firstSeq } = state;
  return isEmptiedByLoad({ storage: config.storage, messages, firstSeq, config: config as JsonObject }, version);
}

function hostedStream(
  account: AccountId,
  server: string,
  { name, created, cluster, config, state, consumer_detail: consumers }: StreamDetail,
  withConsumers: boolean,
): HostedStream {
  return {
    account,
    name,
    server,
    storage: config.storage,
    replicas: config.num_replicas,
    messages: state.messages,
    bytes: state.bytes,
    config: config as JsonObject,
    ...defined({ created }),
    ...(withConsumers ? { consumers: (consumers ?? []).map(consumerOf) } : {}),
    // Without a group, the server that holds the stream is its leader.
    ...(cluster === undefined ? { leader: server } : cluster.leader ? { leader: cluster.leader } : {}),
    peers: (cluster?.replicas ?? []).map((peer) => ({ name: peer.name, current: peer.current })),
  };
}

const consumerOf = ({ name, config }: ConsumerDetail) => ({ name, config: config as JsonObject });
