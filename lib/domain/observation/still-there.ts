import { nameOfGroup } from "../ladder/step-down.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import { skewOf } from "./clocks.ts";
import { allStreams, keyOf } from "./domains.ts";
import type { Observation, Probe, ServerFacts, StreamFacts } from "./observation.ts";

/**
 * What is read one after the other fits together only for what was there all the while. A name is no identity: what was
 * deleted and made anew was made at another time.
 */

/** What is younger is being made: a new replica answers direct gets once it looked whether it has all, every two seconds. */
export const YOUNG: Millis = millis(10_000);

/** Whether something was made a moment ago, by the servers' clocks as far as their skew is known. */
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

/** A stream as one server tells of it at one moment, whatever it says beside. */
export type Existing = Pick<StreamFacts, "domain" | "name"> & {
  readonly created?: string | undefined;
  readonly consumers: readonly { readonly name: string; readonly created?: string | undefined }[];
};

/** The observation without what had gone, or was made anew, by the time that `now` was read from every server. */
export function withoutVanished(observation: Observation, now: readonly Existing[]): Observation {
  const known = new Set(now.flatMap(namesOf));
  const remains = (stream: StreamFacts): StreamFacts[] => {
    const own = ownName(stream);
    if (!known.has(own)) return [];
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
  const own = ownName(stream);
  return [
    own,
    ...stream.consumers.flatMap(({ name, created }) => [within(own, name), within(own, name, created)]),
  ];
}

const ownName = ({ created = "", ...stream }: Omit<Existing, "consumers">): string =>
  `${keyOf(stream)} ${created}`;

const within = (stream: string, consumer: string, created = ""): string =>
  `${stream} > ${consumer} ${created}`;

/** What tells a stream or a consumer from others of its name, and when it was made, as the server writes it. */
export interface Identity {
  readonly text: string;
  readonly created?: string | undefined;
}

/** Of each stream and consumer that a server told of, by its name (`ORDERS`, `ORDERS > worker`). */
export function identitiesOf(
  observation: Pick<Observation, "streams" | "elsewhere">,
): ReadonlyMap<string, Identity> {
  const byName = new Map<string, Identity>();
  const add = (name: string, text: string, created: string | undefined): void => {
    // Streams of one name in several domains are one here, which is another when any of them is.
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
