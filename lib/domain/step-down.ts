import type { ConsumerFacts, Observation, Peer, StreamFacts } from "./observation.ts";

/** A group whose leader can be asked to step down: a stream's, or a consumer's. */
export interface Group {
  readonly stream: string;
  readonly consumer?: string;
}

/** `ORDERS` or `ORDERS > worker`. */
export function nameOfGroup({ stream, consumer }: Group): string {
  return consumer === undefined ? stream : `${stream} > ${consumer}`;
}

/** The deaf streams that have replicas: a new leader subscribes anew. */
export function deafStreamGroups({ streams }: Observation): readonly Group[] {
  const found = streams.ok ? streams.value.filter((stream) => isDeaf(stream) && stream.peers.length > 0) : [];
  return found.map(({ name }) => ({ stream: name }));
}

/** The deaf consumers that have replicas. A consumer stays deaf until its *own* leader steps down. */
export function deafConsumerGroups({ streams }: Observation): readonly Group[] {
  const all = streams.ok ? streams.value : [];
  return all.flatMap(({ name: stream, consumers }) =>
    consumers
      .filter((consumer) => isDeafConsumer(consumer) && consumer.peers.length > 0)
      .map(({ name: consumer }) => ({ stream, consumer })),
  );
}

/** Whether all of these are known to be heard. One that is electing its leader is neither deaf nor heard. */
export function areHeard({ streams }: Observation, groups: readonly Group[]): boolean {
  return streams.ok && groups.every((group) => isHeard(streams.value, group));
}

function isHeard(streams: readonly StreamFacts[], { stream, consumer }: Group): boolean {
  const found = streams.find(({ name }) => name === stream);
  if (consumer === undefined) return found?.deafSubjects.ok === true && !isDeaf(found);
  const { heard } = found?.consumers.find(({ name }) => name === consumer) ?? {};
  return heard?.ok === true && heard.value;
}

/** Deaf groups in which no replica could take over without a loss; for people. */
export function groupsWithoutHeir({ streams }: Observation): readonly string[] {
  const all = streams.ok ? streams.value : [];
  return all.flatMap((stream) => [
    ...(isDeaf(stream) && lacksHeir(stream.peers) ? [`stream ${stream.name}`] : []),
    ...stream.consumers
      .filter((consumer) => isDeafConsumer(consumer) && lacksHeir(consumer.peers))
      .map(({ name }) => `consumer ${stream.name} > ${name}`),
  ]);
}

function lacksHeir(peers: readonly Peer[]): boolean {
  return peers.length > 0 && !peers.some(({ current }) => current);
}

export function isDeaf({ deafSubjects }: StreamFacts): boolean {
  return deafSubjects.ok && deafSubjects.value.length > 0;
}

export function isDeafConsumer({ heard }: ConsumerFacts): boolean {
  return heard.ok && !heard.value;
}
