import type { JournalEntry } from "../journal/journal.ts";
import { isTiered } from "../limits/tier-history.ts";
import { defined } from "../time/defined.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { EpochMillis } from "../time/time.ts";
import type { Observation, StreamFacts } from "./observation.ts";

/** A stream of a healthy account, and the servers that held it. */
export interface SeenStream {
  readonly name: string;
  readonly servers: readonly string[];
  /** Its JetStream domain, if any. */
  readonly domain?: string;
  /** This and the following fields are absent in entries of older versions. */
  readonly replicas?: number;
  readonly created?: string;
  /** Its last sequence; absent for memory streams and mirrors, which servers may reset. */
  readonly lastSeq?: number;
  /** Its durable consumers. */
  readonly consumers?: readonly SeenConsumer[];
}

export interface SeenConsumer {
  readonly name: string;
  readonly servers: readonly string[];
  readonly created?: string;
  readonly ackFloor?: number;
}

/** The account when it was last healthy. */
export interface LastSight {
  readonly at: EpochMillis;
  readonly streams: readonly SeenStream[];
  /** Whether the list is complete. */
  readonly whole: boolean;
  /** Whether its limits were tiers, so each stream was proved to count in one. Absent in entries of older versions. */
  readonly tiers?: true;
}

/** The maximum number of streams stored per account. */
const MOST = 100;
const MOST_CONSUMERS = 500;

/** What to store about a healthy account; undefined if its streams were not observed. */
export function sightIn(observation: Observation): Omit<LastSight, "at"> | undefined {
  const { streams, elsewhere } = observation;
  if (!streams.ok || !elsewhere.ok) return undefined;
  const all = [...streams.value, ...elsewhere.value];
  const durables = all.flatMap(({ consumers }) => consumers.filter(({ durable }) => durable));
  const whole = all.length <= MOST && durables.length <= MOST_CONSUMERS;
  const seen = all
    .map((stream) => seenStream(stream, durables.length <= MOST_CONSUMERS))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  return { streams: seen.slice(0, MOST), whole, ...(isTiered(observation) ? { tiers: true } : {}) };
}

function seenStream(stream: StreamFacts, withConsumers: boolean): SeenStream {
  const { name, domain, replicas, created, storage, config, lastSeq, consumers } = stream;
  const isKept = storage === "file" && !config["mirror"];
  return {
    name,
    servers: holdersOf(stream),
    replicas,
    ...defined({ domain, created }),
    ...(isKept ? { lastSeq } : {}),
    consumers: (withConsumers ? consumers : [])
      .filter(({ durable }) => durable)
      .map((consumer) => ({
        name: consumer.name,
        servers: holdersOf(consumer),
        ...defined({ created: consumer.created }),
        ...(isKept && consumer.storage === "file" ? { ackFloor: consumer.ackFloor } : {}),
      }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  };
}

function holdersOf({ server, leader, peers }: Pick<StreamFacts, "server" | "leader" | "peers">): readonly string[] {
  const servers = [server, ...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)];
  return [...new Set(servers)].sort();
}

/** The last stored one; undefined if the account was never healthy. `entries` oldest first. */
export function lastSight(entries: readonly JournalEntry[]): LastSight | undefined {
  const entry = entries.findLast(({ kind }) => kind === "streams.seen");
  if (entry === undefined) return undefined;
  const { streams, whole, tiers } = entry.data;
  const list = Array.isArray(streams) ? streams.flatMap(readStream) : [];
  return { at: entry.at, streams: list, whole: whole === true, ...(tiers === true ? { tiers } : {}) };
}

function readStream(value: Json): SeenStream[] {
  if (!isJsonObject(value) || typeof value["name"] !== "string") return [];
  const { domain, replicas, created, lastSeq, consumers } = value;
  return [
    {
      name: value["name"],
      servers: readNames(value["servers"]),
      ...(typeof domain === "string" ? { domain } : {}),
      ...(typeof replicas === "number" ? { replicas } : {}),
      ...(typeof created === "string" ? { created } : {}),
      ...(typeof lastSeq === "number" ? { lastSeq } : {}),
      ...(Array.isArray(consumers) ? { consumers: consumers.filter(isJsonObject).flatMap(readConsumer) } : {}),
    },
  ];
}

function readConsumer({ name, servers, created, ackFloor }: JsonObject): SeenConsumer[] {
  if (typeof name !== "string") return [];
  return [
    {
      name,
      servers: readNames(servers),
      ...(typeof created === "string" ? { created } : {}),
      ...(typeof ackFloor === "number" ? { ackFloor } : {}),
    },
  ];
}

const readNames = (value: Json | undefined): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

/**
 * Whether the observation is worth another entry: something was added, removed, moved or reset. Growth counts only after
 * it doubled, because an older last sequence also proves that a stream came back empty.
 */
export function isNews(seen: Omit<LastSight, "at">, last: LastSight | undefined): boolean {
  if (last === undefined || last.whole !== seen.whole || last.tiers !== seen.tiers) return true;
  if (JSON.stringify(seen.streams.map(shapeOf)) !== JSON.stringify(last.streams.map(shapeOf))) return true;
  return seen.streams.some((stream, index) => {
    const before = last.streams[index];
    const consumers = stream.consumers ?? [];
    return (
      hasMoved(stream.lastSeq, before?.lastSeq) ||
      consumers.some(({ ackFloor }, at) => hasMoved(ackFloor, before?.consumers?.[at]?.ackFloor))
    );
  });
}

const hasMoved = (now = 0, before = 0): boolean => now < before || now > 2 * before;

function shapeOf({ name, domain, servers, replicas, created, consumers = [] }: SeenStream): Json {
  const durables = consumers.map((consumer) => [
    ...[consumer.name, consumer.servers.join(" ")],
    // To the second, because a restarted server reports a slightly different time.
    consumer.created?.slice(0, 19) ?? null,
  ]);
  return [name, domain ?? null, servers.join(" "), replicas ?? null, created ?? null, durables];
}

/** `ORDERS on n1, n2, JOBS on n1`, for people. */
export function describeStreams(streams: readonly SeenStream[]): string {
  const shown = streams.slice(0, 10).map(({ name, servers }) => `${name} on ${servers.join(" and ")}`);
  const more = streams.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
