import { millis } from "../time/time.ts";
import type { MirrorDirect } from "./direct-facts.ts";
import { allStreams, type KnownOrigin, knownOrigin, originsOf } from "./domains.ts";
import type { ConsumerFacts, Observation, OriginFacts, StreamFacts, StreamState } from "./observation.ts";

/**
 * Deaf streams and consumers, and mirrors and sources that receive nothing. An origin sends a heartbeat every second, so
 * silence does not mean a lack of messages (tested on 2.9.10, 2.10.27, 2.15.1).
 */

/** The time between two readings of an origin: longer than one heartbeat interval, shorter than two. */
export const BEAT_GAP = millis(1_500);

/** With a single reading: servers themselves retry within ten seconds. */
const NO_HEARTBEAT_FOR = millis(10_000);
/** With several readings: the second heartbeat is due. */
const HEARTBEAT_OVERDUE = millis(2_000);
/** If no heartbeat arrives between two readings, the time since the last one grows by at least this. */
const NO_BEAT = BEAT_GAP - 250;

/**
 * Whether a mirror or source receives no heartbeats. Servers reset the time since the last heartbeat at each retry, every
 * three seconds (2.9.10) or ten (2.10.27, 2.15.1), even if nothing arrives. So one reading proves nothing: there must be a
 * heartbeat between each two readings. A failed attempt's error stays until one succeeds (tested on the same versions).
 */
export function lacksHeartbeats({ activeAgo, error, later }: OriginFacts): boolean {
  const readings = [{ activeAgo, error }, ...later];
  const most = later.length === 0 ? NO_HEARTBEAT_FOR : HEARTBEAT_OVERDUE;
  if (readings.some((reading) => reading.error !== undefined || !(Number(reading.activeAgo) <= most))) return true;
  const times = readings.map((reading) => Number(reading.activeAgo));
  return times.some((time, index) => time - (times[index - 1] ?? time) >= NO_BEAT);
}

/**
 * Whether a mirror or source receives heartbeats and lacks messages that the origin still has, but received none during
 * the check. Sequences alone prove nothing, because the messages after the last one may be deleted.
 */
export function receivesNothing({ taken, later }: OriginFacts, known: KnownOrigin): boolean {
  const state = stateOf(known);
  if (state === undefined || taken === undefined || later.length === 0) return false;
  const lacks = state.messages > Math.max(0, taken - state.firstSeq + 1);
  return lacks && later.every((reading) => reading.taken === taken);
}

/**
 * Whether a mirror's last sequence is beyond its origin's. It then receives nothing until the origin has passed it (tested
 * on 2.9.10, 2.15.1; 2.10.27 resets it by itself). Because both are read one after the other, the mirror must not have
 * moved meanwhile.
 */
export function isAhead(copy: StreamFacts, { later }: OriginFacts, known: KnownOrigin): boolean {
  const last = lastSeqOf(known);
  if (!copy.config["mirror"] || last === undefined || copy.lastSeq <= last || later.length === 0) return false;
  return later.every(({ taken }) => taken === undefined || taken === copy.lastSeq);
}

/** How many messages it lacks; undefined if unknown. */
export function missingOf({ taken }: OriginFacts, known: KnownOrigin): number | undefined {
  const last = lastSeqOf(known);
  return taken === undefined || last === undefined ? undefined : Math.max(0, last - taken);
}

/** An origin's last sequence, if known. */
export const lastSeqOf = (known: KnownOrigin): number | undefined => stateOf(known)?.lastSeq;

function stateOf(known: KnownOrigin): StreamState | undefined {
  if (known.kind === "seen") return known.stream;
  return known.kind === "asked" && known.answer.answer === "found" ? known.answer : undefined;
}

/** What is wrong with an origin; for people. */
export function faultOf({ leader, deafSubjects, nodeMissingOn }: StreamFacts): string | undefined {
  if (leader === undefined) return "has no leader";
  if (nodeMissingOn.length > 0) return "has lost its Raft node";
  return isDeaf({ deafSubjects }) ? "is deaf" : undefined;
}

export function isDeaf({ deafSubjects }: Pick<StreamFacts, "deafSubjects">): boolean {
  return deafSubjects.ok && deafSubjects.value.length > 0;
}

/** Nobody misses one that its client has left. */
export function isDeafConsumer({ heard, abandoned }: ConsumerFacts): boolean {
  return heard.ok && !heard.value && !abandoned;
}

/** Streams that are deaf on their subjects, and mirrors and sources that receive nothing from a working origin. */
export function deafStreams(observation: Observation): readonly StreamFacts[] {
  const { streams } = observation;
  const silent = new Set(silentCopies(observation));
  return streams.ok ? streams.value.filter((stream) => isDeaf(stream) || silent.has(stream)) : [];
}

/**
 * Mirrors that need a new leader to answer their origin's direct gets: those that answer only some, and, while anything of
 * the account is deaf, those that answer none. Otherwise a mirror that answers none may just have a leader that has not
 * received a message yet.
 */
export function silencedMirrors(observation: Observation): readonly StreamFacts[] {
  const { streams } = observation;
  if (!streams.ok) return [];
  const isAnyDeaf = streams.value.some((stream) => isDeaf(stream) || stream.consumers.some(isDeafConsumer));
  return streams.value.filter((stream) => isSilencedMirror(stream) || (isAnyDeaf && hasDirect(stream, "idle")));
}

export const isSilencedMirror = (stream: StreamFacts): boolean => hasDirect(stream, "broken");

function hasDirect({ mirrorDirect }: StreamFacts, value: MirrorDirect): boolean {
  return mirrorDirect?.ok === true && mirrorDirect.value === value;
}

/**
 * Mirrors and sources that are deaf themselves: they receive nothing from a working origin in the same cluster. A stream
 * without subjects shows deafness in no other way (tested on 2.15.1: after a metadata update its server's subscriptions
 * can lead nowhere).
 */
function silentCopies(observation: Observation): readonly StreamFacts[] {
  const all = allStreams(observation);
  if (all.some(hidesCopies)) return [];
  return all.filter((copy) =>
    originsOf([copy]).some(
      ({ origin }) => lacksHeartbeats(origin) && origin.error === undefined && isNear(observation, copy, origin),
    ),
  );
}

const hasNoDirectGets = ({ directGets }: StreamFacts): boolean =>
  directGets?.ok === true && directGets.value.deafOn.length > 0 && directGets.value.heardOn.length === 0;

/**
 * Whether the state of the account's mirrors and sources says nothing more because of this stream: while anything else is
 * faulty, because they recover once their origin does, and while its direct gets are dead everywhere: then its
 * subscriptions were just revived, and copies follow within fifteen seconds by themselves, which another remedy would only
 * delay (timed on 2.10.27).
 */
export const hidesCopies = (stream: StreamFacts): boolean => isFaulty(stream) || hasNoDirectGets(stream);

/** Whether a stream or its consumers are visibly dead. */
function isFaulty(stream: StreamFacts): boolean {
  return (
    faultOf(stream) !== undefined ||
    stream.consumers.some(
      (consumer) => consumer.leader === undefined || consumer.nodeMissingOn.length > 0 || isDeafConsumer(consumer),
    )
  );
}

/** Whether the origin's leader is in the same cluster. Between clusters, the network may be the cause. */
function isNear(observation: Observation, copy: StreamFacts, origin: OriginFacts): boolean {
  const known = knownOrigin(observation, origin, copy);
  if (known.kind !== "seen") return false;
  const clusterOf = (stream: StreamFacts): string | undefined =>
    observation.servers.find(({ name }) => name === stream.leader)?.cluster;
  return clusterOf(copy) !== undefined && clusterOf(copy) === clusterOf(known.stream);
}
