import { nameOfGroup } from "../ladder/step-down.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import { skewOf } from "./clocks.ts";
import { allStreams, keyOf } from "./domains.ts";
import type { Observation, Probe, ServerFacts, StreamFacts } from "./observation.ts";

/**
 * Filters an observation whose requests were made one after the other: only what existed the whole time is consistent.
 * Identity includes the creation time, because a stream may be deleted and recreated with the same name.
 */

/**
 * Younger streams and consumers count as being created. A new replica checks every two seconds whether it is current, and
 * answers direct gets only then.
 */
export const YOUNG: Millis = millis(10_000);

/** Whether something was just created, by the servers' clocks as far as their skew is known. */
export function isYoung(
  created: string | undefined,
  at: EpochMillis,
  servers: readonly Pick<ServerFacts, "clockSkew">[] = [],
  young: Millis = YOUNG,
): boolean {
  const { ahead, behind } = skewOf(servers);
  const age = at - Date.parse(created ?? "");
  return age > -young - ahead && age < young + behind;
}

/** A stream on one server at one moment. */
export type Existing = Pick<StreamFacts, "domain" | "name"> & {
  readonly created?: string | undefined;
  readonly consumers: readonly { readonly name: string; readonly created?: string | undefined }[];
};

/**
 * The observation without streams and consumers that were deleted or recreated before `now` was read. A consumer's stream
 * is identified by its name alone: after restarts servers differ in when it was created, and another server than the
 * stream's leader may hold the consumer (tested on 2.9.10, 2.9.25 and 2.10.27; not on 2.15.2).
 */
export function withoutVanished(observation: Observation, now: readonly Existing[]): Observation {
  const known = new Set(now.flatMap(namesOf));
  const remains = (stream: StreamFacts): StreamFacts[] => {
    if (!known.has(ownName(stream))) return [];
    const own = keyOf(stream);
    const consumers = stream.consumers.filter(({ name, created }) => known.has(within(own, name, created)));
    return [
      {
        ...stream,
        consumers,
        forgotten: stream.forgotten.filter(({ name }) => known.has(within(own, name))),
      },
    ];
  };
  const remaining = (probe: Probe<readonly StreamFacts[]>): Probe<readonly StreamFacts[]> =>
    probe.ok ? { ok: true, value: probe.value.flatMap(remains) } : probe;
  const { streams, elsewhere } = observation;
  return { ...observation, streams: remaining(streams), elsewhere: remaining(elsewhere) };
}

function namesOf(stream: Existing): readonly string[] {
  const own = keyOf(stream);
  const consumers = stream.consumers.flatMap(({ name, created }) => [within(own, name), within(own, name, created)]);
  return [ownName(stream), ...consumers];
}

const ownName = ({ created = "", ...stream }: Omit<Existing, "consumers">): string => `${keyOf(stream)} ${created}`;

const within = (stream: string, consumer: string, created = ""): string => `${stream} > ${consumer} ${created}`;

/** The identity of a stream or consumer, and its creation time as the server writes it. */
export interface Identity {
  readonly text: string;
  readonly created?: string | undefined;
}

/** The identities of all reported streams and consumers by name (`ORDERS`, `ORDERS > worker`). */
export function identitiesOf(observation: Pick<Observation, "streams" | "elsewhere">): ReadonlyMap<string, Identity> {
  const byName = new Map<string, Identity>();
  const add = (name: string, text: string, created: string | undefined): void => {
    // Streams with the same name in several domains share one identity, which changes if any of them changes.
    const others = byName.get(name)?.text ?? "";
    byName.set(name, { text: `${others}${text}\n`, created });
  };
  for (const { forgotten, consumers, ...stream } of allStreams(observation)) {
    const own = ownName(stream);
    add(nameOfGroup({ stream: stream.name }), own, stream.created);
    for (const { name: consumer, created } of consumers)
      add(nameOfGroup({ stream: stream.name, consumer }), within(own, consumer, created), created);
    for (const { name: consumer } of forgotten)
      add(nameOfGroup({ stream: stream.name, consumer }), within(own, consumer), stream.created);
  }
  return byName;
}
