import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { isAccountId } from "../../domain/account.ts";
import type { HostedStream, ServerFacts } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import { type AccountDetail, jsz, readData } from "./answers.ts";
import { AT_ONCE, ask, readJson } from "./connection.ts";

/** Accounts in one answer: a server with thousands of them must not send one of many megabytes. */
const PAGE = 256;

/** Every stream of every account, once for each server that holds it. @throws RelightError `nats.*` */
export async function hostedStreams(
  settings: { readonly connection: NatsConnection; readonly timeout: Millis },
  servers: readonly ServerFacts[],
): Promise<readonly HostedStream[]> {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const perServer = await pMap(hosts, (server) => streamsOn(settings, server), { concurrency: AT_ONCE });
  return perServer.flat();
}

async function streamsOn(
  { connection, timeout }: { readonly connection: NatsConnection; readonly timeout: Millis },
  { id, name }: ServerFacts,
): Promise<readonly HostedStream[]> {
  const streams: HostedStream[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const body = JSON.stringify({ accounts: true, streams: true, config: true, limit: PAGE, offset });
    const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.JSZ`, body, timeout);
    const accounts = readData(jsz, readJson(answer), "JSZ").account_details ?? [];
    streams.push(...accounts.flatMap((account) => streamsOf(name, account)));
    if (accounts.length < PAGE) return streams;
  }
}

function streamsOf(server: string, { id: account, stream_detail: streams }: AccountDetail): HostedStream[] {
  if (!isAccountId(account)) return [];
  return (streams ?? []).map(({ name, cluster, config, state }) => ({
    ...{ account, name, server, storage: config.storage, replicas: config.num_replicas },
    messages: state.messages,
    // Where nothing is said of a group there is none: the server that holds it leads it.
    ...(cluster === undefined ? { leader: server } : cluster.leader ? { leader: cluster.leader } : {}),
    peers: (cluster?.replicas ?? []).map((peer) => ({ name: peer.name, current: peer.current })),
  }));
}
