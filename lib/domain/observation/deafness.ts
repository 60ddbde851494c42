import { millis } from "../time/time.ts";
import type { MirrorDirect } from "./direct-facts.ts";
import { allStreams, originsOf, type Sight, sightOf } from "./domains.ts";
import {
  BEAT_GAP,
  type ConsumerFacts,
  type Observation,
  type OriginFacts,
  type StreamFacts,
  type StreamState,
} from "./observation.ts";

/**
 * What hears nothing: streams on their subjects, consumers, and mirrors and sources of their origins. An origin sends a heartbeat every second, messages or not, so that
 * silence is no want of messages (ran: 2.9.10, 2.10.27, 2.15.1).
 */

/** Where it was read once only: servers try again within ten seconds themselves. */
const QUIET = millis(10_000);
/** Where it was listened to: the second heartbeat is due. */
const OVERDUE = millis(2_000);
/** Without a heartbeat in it, a gap between two readings adds all of itself to the time since the last. */
const NO_BEAT = BEAT_GAP - 250;

/**
 * Whether a copy hears nothing of its origin. Servers set the time since the last heartbeat back to zero when they try
 * again, every three seconds (2.9.10) or ten (2.10.27, 2.15.1), though nothing is ever heard, so that one reading would
 * call it heard: there must be a heartbeat in each gap between two. An attempt's error is told until one succeeds (ran on
 * the same).
 */
export function isQuiet({ activeAgo, error, later }: OriginFacts): boolean {
  const readings = [{ activeAgo, error }, ...later];
  const most = later.length === 0 ? QUIET : OVERDUE;
  if (readings.some((reading) => reading.error !== undefined || !(Number(reading.activeAgo) <= most)))
    return true;
  const times = readings.map((reading) => Number(reading.activeAgo));
  return times.some((time, index) => time - (times[index - 1] ?? time) >= NO_BEAT);
}

/**
 * Whether a copy hears its origin, lacks messages that the origin still has, and took none while it was looked at.
 * Sequences alone don't tell: behind the last one that was taken there may be deleted messages only.
 */
export function takesNothing({ taken, later }: OriginFacts, sight: Sight): boolean {
  const state = stateOf(sight);
  if (state === undefined || taken === undefined || later.length === 0) return false;
  const lacks = state.messages > Math.max(0, taken - state.firstSeq + 1);
  return lacks && later.every((reading) => reading.taken === taken);
}

/**
 * Whether a mirror is beyond its origin's end: it takes nothing until the origin has passed it (ran: 2.9.10, 2.15.1;
 * 2.10.27 sets it back by itself). A mirror keeps its origin's sequences, and may well have more messages. The two are
 * read one after the other, so that only one which stood still meanwhile counts.
 */
export function isAhead(copy: StreamFacts, { later }: OriginFacts, sight: Sight): boolean {
  const last = lastSeqOf(sight);
  if (!copy.config["mirror"] || last === undefined || copy.lastSeq <= last || later.length === 0)
    return false;
  return later.every(({ taken }) => taken === undefined || taken === copy.lastSeq);
}

/** How many messages it lacks; undefined where that can't be told. */
export function missingOf({ taken }: OriginFacts, sight: Sight): number | undefined {
  const last = lastSeqOf(sight);
  return taken === undefined || last === undefined ? undefined : Math.max(0, last - taken);
}

/** An origin's last sequence, as far as it was seen. */
export const lastSeqOf = (sight: Sight): number | undefined => stateOf(sight)?.lastSeq;

function stateOf(sight: Sight): StreamState | undefined {
  if (sight.kind === "seen") return sight.stream;
  return sight.kind === "asked" && sight.answer.answer === "found" ? sight.answer : undefined;
}

/** What is wrong with a stream that others copy from; for people. */
export function illness({ leader, deafSubjects, nodeMissingOn }: StreamFacts): string | undefined {
  if (leader === undefined) return "has no leader";
  if (nodeMissingOn.length > 0) return "has lost its Raft node";
  return isDeaf({ deafSubjects }) ? "is deaf" : undefined;
}

export function isDeaf({ deafSubjects }: Pick<StreamFacts, "deafSubjects">): boolean {
  return deafSubjects.ok && deafSubjects.value.length > 0;
}

export function isDeafConsumer({ heard }: ConsumerFacts): boolean {
  return heard.ok && !heard.value;
}

/** The streams that hear nothing where they listen: on their subjects, or, as copies, of their origins. */
export function deafStreams(observation: Observation): readonly StreamFacts[] {
  const { streams } = observation;
  const silent = new Set(silentCopies(observation));
  return streams.ok ? streams.value.filter((stream) => isDeaf(stream) || silent.has(stream)) : [];
}

/**
 * Mirrors to be given a new leader, so that it answers direct gets of their origin anew: such that answer a part of them,
 * and, while anything of the account is deaf, such that answer none. One that answers none may as well be a leader that
 * took no message yet, which nothing is to be done about by itself.
 */
export function silencedMirrors(observation: Observation): readonly StreamFacts[] {
  const { streams } = observation;
  if (!streams.ok) return [];
  const isAnyDeaf = streams.value.some((stream) => isDeaf(stream) || stream.consumers.some(isDeafConsumer));
  return streams.value.filter(
    (stream) => isSilencedMirror(stream) || (isAnyDeaf && hasDirect(stream, "idle")),
  );
}

export const isSilencedMirror = (stream: StreamFacts): boolean => hasDirect(stream, "broken");

function hasDirect({ mirrorDirect }: StreamFacts, value: MirrorDirect): boolean {
  return mirrorDirect?.ok === true && mirrorDirect.value === value;
}

/**
 * Copies that are deaf themselves: they hear nothing of an origin that works in the same cluster. A stream without
 * subjects shows its deafness in no other way (ran: 2.15.1, after a touch: its server's subscriptions for it lead
 * nowhere, for ever). While anything else of the account is ill there are none: a copy whose origin is mended hears of
 * it by itself.
 */
function silentCopies(observation: Observation): readonly StreamFacts[] {
  const all = allStreams(observation);
  if (all.some(isIll)) return [];
  return all.filter((copy) =>
    originsOf([copy]).some(
      ({ origin }) => isQuiet(origin) && origin.error === undefined && isNear(observation, copy, origin),
    ),
  );
}

/** Whether something of a stream is dead that shows itself: what copies hear tells no more then. */
export function isIll(stream: StreamFacts): boolean {
  return (
    illness(stream) !== undefined ||
    stream.consumers.some(
      (consumer) =>
        consumer.leader === undefined || consumer.nodeMissingOn.length > 0 || isDeafConsumer(consumer),
    )
  );
}

/** Whether the origin is led in the copy's own cluster: between clusters it may be the network that is silent. */
function isNear(observation: Observation, copy: StreamFacts, origin: OriginFacts): boolean {
  const sight = sightOf(observation, origin, copy);
  if (sight.kind !== "seen") return false;
  const clusterOf = (stream: StreamFacts): string | undefined =>
    observation.servers.find(({ name }) => name === stream.leader)?.cluster;
  return clusterOf(copy) !== undefined && clusterOf(copy) === clusterOf(sight.stream);
}
