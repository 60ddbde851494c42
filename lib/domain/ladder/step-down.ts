import { deafStreams, isDeafConsumer, silencedMirrors } from "../observation/deafness.ts";
import type { Observation, Peer, StreamFacts } from "../observation/observation.ts";

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
export function deafStreamGroups(observation: Observation): readonly Group[] {
  const found = deafStreams(observation).filter(({ peers }) => peers.length > 0);
  return found.map(({ name }) => ({ stream: name }));
}

/** Mirrors with replicas whose new leader answers direct gets of their origin again, with the next message that it takes. */
export function silencedMirrorGroups(observation: Observation): readonly Group[] {
  const deaf = new Set(deafStreams(observation));
  const found = silencedMirrors(observation).filter((stream) => stream.peers.length > 0 && !deaf.has(stream));
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

/**
 * Whether all of these that are still there are known to be heard. One that is electing its leader is neither deaf nor
 * heard.
 */
export function areHeard(observation: Observation, groups: readonly Group[]): boolean {
  const { streams } = observation;
  const deaf = new Set(deafStreams(observation).map(({ name }) => name));
  return (
    streams.ok &&
    groups.every((group) => {
      if (group.consumer === undefined && deaf.has(group.stream)) return false;
      return isHeard(streams.value, group);
    })
  );
}

function isHeard(streams: readonly StreamFacts[], { stream, consumer }: Group): boolean {
  const found = streams.find(({ name }) => name === stream);
  // Whoever uses the account may delete it meanwhile.
  if (found === undefined) return true;
  if (consumer === undefined) return found.deafSubjects.ok;
  const { heard } = found.consumers.find(({ name }) => name === consumer) ?? {};
  return heard === undefined || (heard.ok && heard.value);
}

/** Deaf groups in which no replica could take over without a loss; for people. */
export function groupsWithoutHeir(observation: Observation): readonly string[] {
  const all = observation.streams.ok ? observation.streams.value : [];
  const deaf = new Set(deafStreams(observation));
  return all.flatMap((stream) => [
    ...(deaf.has(stream) && lacksHeir(stream.peers) ? [`stream ${stream.name}`] : []),
    ...stream.consumers
      .filter((consumer) => isDeafConsumer(consumer) && lacksHeir(consumer.peers))
      .map(({ name }) => `consumer ${stream.name} > ${name}`),
  ]);
}

function lacksHeir(peers: readonly Peer[]): boolean {
  return peers.length > 0 && !peers.some(({ current }) => current);
}
