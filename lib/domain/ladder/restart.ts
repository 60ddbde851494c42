import { deafStreams, isDeafConsumer } from "../observation/deafness.ts";
import { directDeafOn } from "../observation/direct-gets.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import { hasLostNodes, namesOfLostStreams } from "./reconfiguration.ts";

/** The servers whose restart would revive something, the one with the most dead streams and consumers first. */
export function serversToRestart(observation: Observation): readonly string[] {
  const { streams, servers } = observation;
  const dead = new Map<string, number>();
  const count = (server: string): void => void dead.set(server, (dead.get(server) ?? 0) + 1);
  const deaf = new Set(deafStreams(observation));
  for (const stream of streams.ok ? streams.value : [])
    for (const server of holdersOfDead(stream, deaf.has(stream))) count(server);
  // For a stream that no server holds any more, the place is unknown; the server recreates it where it was.
  if (namesOfLostStreams(observation).length > 0)
    for (const { name } of servers.filter(({ jetstream }) => jetstream)) count(name);
  return servers
    .map(({ name }) => name)
    .filter((name) => dead.has(name))
    .sort((one, other) => (dead.get(other) ?? 0) - (dead.get(one) ?? 0));
}

/** Whether a stream and its consumers have a leader and current replicas, unless they lack a majority of Raft nodes. */
export function isLedIfPossible(stream: StreamFacts): boolean {
  return [stream, ...stream.consumers].every(({ leader, peers, nodeMissingOn }) => {
    const members = Math.max(peers.length, stream.replicas - 1) + 1;
    const nodes = members - nodeMissingOn.length;
    if (nodes <= members / 2) return true;
    const present = peers.filter(({ name }) => !nodeMissingOn.includes(name));
    return leader !== undefined && present.every(({ current }) => current);
  });
}

/** The servers where the stream or a consumer lacks its Raft node or is deaf; one entry for each. */
function holdersOfDead(stream: StreamFacts, isDeaf: boolean): readonly string[] {
  return [
    ...stream.nodeMissingOn,
    ...((isDeaf && !hasLostNodes(stream)) || stream.runsTwice ? [stream.server] : []),
    ...directDeafOn(stream),
    ...stream.consumers.flatMap((consumer) => [
      ...consumer.nodeMissingOn,
      ...(isDeafConsumer(consumer) && consumer.nodeMissingOn.length === 0 ? [consumer.server] : []),
    ]),
  ];
}

/** The account's streams and consumers in memory on only one of those servers; for people. */
export function losesByRestart(observation: Observation): readonly string[] {
  const servers = new Set(serversToRestart(observation));
  const streams = observation.streams.ok ? observation.streams.value : [];
  return streams.flatMap((stream) => [
    ...(stream.messages > 0 && isOnlyInMemoryOn(stream, servers) ? [`stream ${stream.name}`] : []),
    ...stream.consumers
      .filter((consumer) => consumer.durable && stream.storage === "file" && isOnlyInMemoryOn(consumer, servers))
      .map(({ name }) => `consumer ${stream.name} > ${name}`),
  ]);
}

type Held = Pick<StreamFacts, "server" | "storage" | "peers" | "nodeMissingOn">;

/** Whether no current replica elsewhere keeps it. Without a Raft node there is nothing to lose. */
function isOnlyInMemoryOn({ server, storage, peers, nodeMissingOn }: Held, servers: ReadonlySet<string>): boolean {
  if (storage === "file" || nodeMissingOn.includes(server)) return false;
  return servers.has(server) && !peers.some(({ current }) => current);
}
