import { deafStreams, isDeafConsumer, silencedMirrors } from "../observation/deafness.ts";
import type { Observation, Peer, StreamFacts } from "../observation/observation.ts";

/** A stream, or a consumer of it, whose leader can be asked to step down. */
export interface Group {
  readonly stream: string;
  readonly consumer?: string;
}

/** `ORDERS` or `ORDERS > worker`. */
export function nameOfGroup({ stream, consumer }: Group): string {
  return consumer === undefined ? stream : `${stream} > ${consumer}`;
}

/** The deaf streams with replicas: a new leader subscribes again. */
export function deafStreamGroups(observation: Observation): readonly Group[] {
  const found = deafStreams(observation).filter(({ peers }) => peers.length > 0);
  return found.map(({ name }) => ({ stream: name }));
}

/** Mirrors with replicas whose new leader answers direct gets of their origin again, after its next message. */
export function silencedMirrorGroups(observation: Observation): readonly Group[] {
  const deaf = new Set(deafStreams(observation));
  const found = silencedMirrors(observation).filter((stream) => stream.peers.length > 0 && !deaf.has(stream));
  return found.map(({ name }) => ({ stream: name }));
}

/** The deaf consumers with replicas. A consumer stays deaf until its *own* leader steps down. */
export function deafConsumerGroups({ streams }: Observation): readonly Group[] {
  const all = streams.ok ? streams.value : [];
  return all.flatMap(({ name: stream, consumers }) =>
    consumers
      .filter((consumer) => isDeafConsumer(consumer) && consumer.peers.length > 0)
      .map(({ name: consumer }) => ({ stream, consumer })),
  );
}

/** Whether JetStream provably listens for all of these that still exist. A group in an election is neither deaf nor heard. */
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
  // The account's clients may delete it meanwhile.
  if (found === undefined) return true;
  if (consumer === undefined) return found.deafSubjects.ok;
  const { heard } = found.consumers.find(({ name }) => name === consumer) ?? {};
  return heard === undefined || (heard.ok && heard.value);
}

/** Deaf groups in which no current replica could take over; for people. */
export function groupsWithoutSuccessor(observation: Observation): readonly string[] {
  const all = observation.streams.ok ? observation.streams.value : [];
  const deaf = new Set(deafStreams(observation));
  return all.flatMap((stream) => [
    ...(deaf.has(stream) && lacksSuccessor(stream.peers) ? [`stream ${stream.name}`] : []),
    ...stream.consumers
      .filter((consumer) => isDeafConsumer(consumer) && lacksSuccessor(consumer.peers))
      .map(({ name }) => `consumer ${stream.name} > ${name}`),
  ]);
}

function lacksSuccessor(peers: readonly Peer[]): boolean {
  return peers.length > 0 && !peers.some(({ current }) => current);
}
