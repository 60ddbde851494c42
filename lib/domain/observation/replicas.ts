import type { ConsumerFacts, StreamFacts } from "./observation.ts";

/** How many replicas streams and consumers should have, and whether they do. */

/**
 * Whether a consumer has one replica regardless of its stream: if configured so, or if it is ephemeral on a stream with
 * limits retention (nats-server, `ConsumerConfig.replicas`).
 */
export function staysSingle({ config, durable }: ConsumerFacts, stream: StreamFacts): boolean {
  if (config["num_replicas"] === 1) return true;
  return !durable && !config["num_replicas"] && !needsParity(stream);
}

/** Whether each consumer must have as many replicas as its stream. */
export const needsParity = ({ config }: StreamFacts): boolean => (config["retention"] ?? "limits") !== "limits";

/** Whether a stream and its consumers have a leader and all their replicas, each current. */
export function isWhole(stream: StreamFacts): boolean {
  return replicaShortages(stream).length === 0;
}

/** Like {@link isWhole}, without the consumers. */
export function isGroupWhole(stream: StreamFacts): boolean {
  return replicaShortage(stream, stream.replicas) === undefined;
}

/** What a stream and its consumers lack; for people. */
export function replicaShortages(stream: StreamFacts): readonly string[] {
  const own = replicaShortage(stream, stream.replicas);
  return [
    ...(own === undefined ? [] : [`stream ${stream.name} ${own}`]),
    ...stream.consumers.flatMap((consumer) => {
      // An ephemeral consumer's new replicas receive nothing until it is used again, and count as behind until then.
      const isOwn = hasParity(consumer, stream) || isLeftBehind(consumer, stream);
      const replicas = isOwn ? consumer.peers.length + 1 : replicasOf(consumer, stream);
      const its = replicaShortage(consumer, replicas, consumer.durable);
      return its === undefined ? [] : [`consumer ${stream.name} > ${consumer.name} ${its}`];
    }),
  ];
}

function replicaShortage(
  { leader, peers, nodeMissingOn }: StreamFacts | ConsumerFacts,
  replicas: number,
  mustBeCurrent = true,
): string | undefined {
  if (leader === undefined) return "has no leader";
  if (nodeMissingOn.length > 0) return `has no Raft node on ${nodeMissingOn.join(", ")}`;
  if (peers.length !== replicas - 1) return `has ${peers.length + 1} replicas and should have ${replicas}`;
  const behind = peers.filter(({ current }) => mustBeCurrent && !current).map(({ name }) => name);
  return behind.length === 0 ? undefined : `is behind on ${behind.join(", ")}`;
}

/** Whether it has its stream's replica count, whatever its configuration. Versions differ, most for ephemeral ones (2.9.10). */
const hasParity = ({ peers }: ConsumerFacts, stream: StreamFacts): boolean =>
  needsParity(stream) && peers.length === stream.replicas - 1;
const isLeftBehind = ({ peers, durable }: ConsumerFacts, stream: StreamFacts): boolean =>
  needsParity(stream) && !durable && peers.length === 0;

function replicasOf(consumer: ConsumerFacts, stream: StreamFacts): number {
  if (staysSingle(consumer, stream)) return 1;
  return Number(consumer.config["num_replicas"] || stream.replicas);
}
