import type { NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./wait.ts";

interface MetaAnswer {
  readonly server: { readonly name: string };
  readonly data?: {
    readonly meta_cluster?: {
      readonly leader?: string;
      readonly replicas?: readonly { readonly current: boolean; readonly active: number }[];
    };
  };
}

/** Nanoseconds of silence after which a member of the meta group counts as away. */
const SILENT = 2_000_000_000;

/** The name of the meta leader; undefined while there is none. */
export async function metaLeader(system: NatsConnection): Promise<string | undefined> {
  const reply = await system.request("$SYS.REQ.SERVER.PING.JSZ", "", { timeout: 2_000 });
  return reply.json<MetaAnswer>().data?.meta_cluster?.leader;
}

/** Moves the meta leader to another server. */
export async function moveMetaLeader(system: NatsConnection, from: string): Promise<string> {
  await system.request("$JS.API.META.LEADER.STEPDOWN", "", { timeout: 2_000 });
  return waitFor("another meta leader", async () => {
    const leader = await metaLeader(system);
    return leader !== from && leader;
  });
}

/** Whether the meta group has a leader and this many members, all current. */
export async function isMetaCurrent(system: NatsConnection, servers: number): Promise<boolean> {
  const replies = await system.requestMany("$SYS.REQ.SERVER.PING.JSZ", "", {
    strategy: "count",
    maxMessages: servers,
    maxWait: 1_000,
  });
  for await (const reply of replies) {
    const { server, data } = reply.json<MetaAnswer>();
    const { leader, replicas = [] } = data?.meta_cluster ?? {};
    const areHeard = replicas.every(({ current, active }) => current && active < SILENT);
    if (leader === server.name && replicas.length === servers - 1 && areHeard) return true;
  }
  return false;
}
