import type { JournalEntry } from "../journal/journal.ts";
import { missedConsumers } from "../observation/forgotten.ts";
import type { ConsumerFacts, ForgottenConsumer, Observation, StreamFacts } from "../observation/observation.ts";
import { isYoung } from "../observation/still-there.ts";
import type { LastSight, SeenStream } from "../observation/streams-seen.ts";
import { defined } from "../time/defined.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { isoTime, millis } from "../time/time.ts";
import type { MemoryAsset } from "./memory.ts";
import { type Group, nameOfGroup } from "./step-down.ts";

/** Something that existed before a remedy and does not exist after it. */
export interface Loss extends Group {
  /** `gone`: the stream or consumer. `messages`: the last messages of a stream. `position`: a consumer starts over. */
  readonly kind: "gone" | "messages" | "position";
  readonly message: string;
  /** The policy allowed it, or nobody misses it: only reported, nobody is paged. */
  readonly allowed?: true;
  /** Set if no remedy caused it: when the account was last healthy; ISO 8601, UTC. */
  readonly seenWell?: string;
}

/** A stream at one time, with what is needed to find losses. */
export type Sketch = Pick<StreamFacts, "name" | "storage" | "messages" | "firstSeq" | "lastSeq"> & {
  readonly created?: string;
  /** The servers that reported it and its consumers. While one of these is away, nothing counts as lost. */
  readonly servers: readonly string[];
  readonly consumers: readonly (Pick<ConsumerFacts, "name" | "durable"> &
    Partial<Pick<ConsumerFacts, "storage" | "ackFloor">>)[];
  readonly forgotten: readonly Pick<ForgottenConsumer, "name" | "durable" | "ackFloor">[];
};

/** What {@link findLosses} needs about the streams, for the journal: the job may crash before it checks again. */
export function sketchOf(streams: readonly StreamFacts[]): readonly Sketch[] {
  return streams.map(({ created, consumers, forgotten, ...stream }) => ({
    name: stream.name,
    storage: stream.storage,
    messages: stream.messages,
    firstSeq: stream.firstSeq,
    lastSeq: stream.lastSeq,
    servers: [...new Set([stream.server, ...consumers.map(({ server }) => server)])],
    ...defined({ created }),
    consumers: consumers.map(({ name, durable, storage, ackFloor }) => ({
      name,
      durable,
      storage,
      ackFloor,
    })),
    forgotten: forgotten.map((one) => ({ name: one.name, durable: one.durable, ackFloor: one.ackFloor })),
  }));
}

/** Reads {@link sketchOf} back from the journal. */
export function readSketch(value: Json | undefined): readonly Sketch[] {
  return Array.isArray(value) ? (value.filter(isJsonObject) as unknown as readonly Sketch[]) : [];
}

/**
 * What `after` lacks compared with `before`: streams, consumers, or the last messages of a stream. A smaller number of
 * messages proves nothing, because a stream's limits may remove some. Losses in memory may be allowed by the policy.
 */
export function findLosses(
  before: readonly Omit<Sketch, "servers">[],
  after: readonly StreamFacts[],
  allowMemoryLoss = false,
): readonly Loss[] {
  const now = new Map(after.map((stream) => [stream.name, stream]));
  return before.flatMap((stream) => lossesOf(stream, now.get(stream.name), allowMemoryLoss));
}

/**
 * Durable memory consumers that existed when the account was last healthy, and are missing although their stream exists:
 * a server lost them in a restart, and no other knows them.
 */
export function findVanished(seen: readonly MemoryAsset[], after: readonly StreamFacts[]): readonly Loss[] {
  return seen.flatMap(({ stream, consumers }) => {
    const now = after.find(({ name }) => name === stream);
    const names = consumers.map((config) => String(config["durable_name"]));
    const gone = names.filter((wanted) => now?.consumers.every(({ name }) => name !== wanted) ?? false);
    return gone.map((consumer): Loss => {
      const message = `consumer ${stream} > ${consumer}, which was in memory, is gone`;
      return { stream, consumer, kind: "gone", message };
    });
  });
}

/**
 * Streams and consumers that were reset since the account was last healthy, with the same name and creation time. A
 * peer-remove recreates single-replica ones elsewhere, empty (tested on 2.9.10, 2.10.27, 2.15.1); a disk may also be lost.
 * If a client deletes and recreates a stream, its creation time changes, so that is no loss. Only a leader's report counts.
 */
export function lossesSince(
  sight: LastSight,
  { streams, servers }: Pick<Observation, "streams" | "servers">,
): readonly Loss[] {
  const answering = new Set(servers.map(({ name }) => name));
  const isLed = ({ leader, nodeMissingOn }: Pick<StreamFacts, "leader" | "nodeMissingOn">): boolean =>
    leader !== undefined && answering.has(leader) && nodeMissingOn.length === 0;
  const seenWell = isoTime(sight.at);
  return (streams.ok ? streams.value : []).filter(isLed).flatMap((stream): Loss[] => {
    const before = sight.streams.find(({ name, domain }) => name === stream.name && domain === stream.domain);
    if (before === undefined || !isSameAge(sight, before.created, stream.created)) return [];
    const { name, lastSeq } = stream;
    const message = `stream ${name} ends at ${lastSeq}; it ended at ${before.lastSeq}`;
    const isCut = before.lastSeq !== undefined && lastSeq < before.lastSeq;
    return [
      ...(isCut ? [{ stream: name, kind: "messages", message, seenWell } as const] : []),
      ...stream.consumers
        .filter(isLed)
        .filter((consumer) => startsOver(consumer, before, sight))
        .map(({ name: consumer, ackFloor }): Loss => {
          const was = before.consumers?.find((one) => one.name === consumer)?.ackFloor;
          const message = `consumer ${name} > ${consumer} starts over: it is at message ${ackFloor}; it was at ${was}`;
          return { stream: name, consumer, kind: "position", message, seenWell };
        }),
    ];
  });
}

/**
 * A restarted server may report the creation time that the cluster knows, slightly different from its own (tested on
 * 2.9.10, 2.10.27). But a stream that was young at the healthy check may have been recreated by its owner just after it.
 */
function isSameAge({ at }: LastSight, before: string | undefined, now: string | undefined): boolean {
  if (isYoung(before, at)) return before === now;
  return Math.abs(Date.parse(before ?? "") - Date.parse(now ?? "")) < SAME_AGE;
}
const SAME_AGE = millis(2_000);

/** After a crash a consumer may be slightly behind. It starts over if it moved or lost most of its position. */
function startsOver(now: ConsumerFacts, { consumers }: SeenStream, sight: LastSight): boolean {
  const before = consumers?.find(({ name }) => name === now.name);
  if (before === undefined || !isSameAge(sight, before.created, now.created)) return false;
  if (before.ackFloor === undefined || now.ackFloor >= before.ackFloor) return false;
  const holders = [now.server, ...now.peers.map(({ name }) => name)];
  return !holders.some((name) => before.servers.includes(name)) || now.ackFloor < before.ackFloor / 2;
}

function lossesOf(before: Omit<Sketch, "servers">, after: StreamFacts | undefined, allowMemoryLoss: boolean): Loss[] {
  const { name: stream } = before;
  if (after === undefined) return [{ stream, kind: "gone", message: `stream ${stream} is gone` }];
  const consumers = new Set([...after.consumers, ...after.forgotten].map(({ name }) => name));
  return [
    ...before.consumers
      .filter(({ name }) => !consumers.has(name))
      .map(({ name, durable }) => lostConsumer(stream, name, durable)),
    ...lostPositions(before, after, allowMemoryLoss),
    ...missedConsumers(before).flatMap((consumer) => lossOf(stream, consumer, after)),
    ...lostMessages(before, after, allowMemoryLoss),
  ];
}

/**
 * Consumers whose acknowledged position moved back. A recreated memory stream is exempt, because its messages are gone.
 * An ephemeral consumer may start over when its replicas change, because servers choose its leader by the durable name
 * (tested on 2.10.27).
 */
function lostPositions(before: Omit<Sketch, "servers">, after: StreamFacts, allowMemoryLoss: boolean): readonly Loss[] {
  if (before.storage === "memory" && wasRecreated(before, after)) return [];
  const { name: stream } = before;
  return before.consumers.flatMap(({ name: consumer, durable, storage, ackFloor = 0 }): Loss[] => {
    const now = after.consumers.find(({ name }) => name === consumer);
    if (now === undefined || now.ackFloor >= ackFloor) return [];
    const what = durable ? "consumer" : "ephemeral consumer";
    const message = `${what} ${stream} > ${consumer} is back at message ${now.ackFloor}; it was at ${ackFloor}`;
    const isAllowed = !durable || (storage === "memory" && allowMemoryLoss);
    return [{ stream, consumer, kind: "position", message, ...(isAllowed ? { allowed: true } : {}) }];
  });
}

/** Clients recreate an ephemeral consumer, as they must whenever a server drops one. */
function lostConsumer(stream: string, consumer: string, durable: boolean): Loss {
  const what = durable ? "consumer" : "ephemeral consumer";
  const loss = {
    stream,
    consumer,
    kind: "gone",
    message: `${what} ${stream} > ${consumer} is gone`,
  } as const;
  return durable ? loss : { ...loss, allowed: true };
}

/**
 * A stream's last sequence. A mirror whose origin was recreated reports 0 although it has messages, until it receives a
 * new one (tested on 2.10.27).
 */
function endOf({ messages, firstSeq, lastSeq, config }: StreamFacts): number {
  return config["mirror"] && messages > 0 ? Math.max(lastSeq, firstSeq + messages - 1) : lastSeq;
}

function lostMessages(before: Omit<Sketch, "servers">, after: StreamFacts, allowMemoryLoss: boolean): Loss[] {
  const { name: stream } = before;
  if (before.storage === "memory") {
    if (before.messages === 0 || !wasRecreated(before, after)) return [];
    const message = `memory stream ${stream} lost its ${plural(before.messages, "message")}`;
    return [{ stream, kind: "messages", message, ...(allowMemoryLoss ? { allowed: true } : {}) }];
  }
  if (endOf(after) >= before.lastSeq) return [];
  const message = `stream ${stream} ends at ${endOf(after)}; it ended at ${before.lastSeq}`;
  return [{ stream, kind: "messages", message }];
}

/** A stream recreated at its old sequence differs only in its creation time. */
function wasRecreated(before: Omit<Sketch, "servers">, after: StreamFacts): boolean {
  if (before.created !== undefined && after.created !== undefined && before.created !== after.created) return true;
  return after.lastSeq < before.lastSeq || (after.messages === 0 && after.firstSeq < before.firstSeq);
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** A forgotten consumer counts as present while its server holds it. */
function lossOf(
  stream: string,
  { name: consumer, ackFloor }: Pick<ForgottenConsumer, "name" | "ackFloor">,
  { consumers, forgotten }: StreamFacts,
): Loss[] {
  if (forgotten.some((held) => held.name === consumer)) return [];
  const now = consumers.find(({ name }) => name === consumer);
  if (now !== undefined && now.ackFloor >= ackFloor) return [];
  const what = now === undefined ? "is gone" : "starts over";
  const message = `consumer ${stream} > ${consumer} ${what}; it was at message ${ackFloor}`;
  return [{ stream, consumer, kind: now === undefined ? "gone" : "position", message }];
}

/** Identifies a loss. */
export const keyOfLoss = (loss: Loss): string => `${loss.kind} ${nameOfGroup(loss)}`;

/** The unacknowledged losses, without allowed ones; `entries` of one account, oldest first. */
export function openLosses(entries: readonly JournalEntry[]): readonly Loss[] {
  const open = new Map<string, Loss>();
  for (const { kind, data } of entries) {
    if (kind !== "loss.found" && kind !== "loss.acknowledged") continue;
    for (const loss of readLosses(data)) {
      if (kind === "loss.acknowledged") open.delete(keyOfLoss(loss));
      else if (loss.allowed !== true) open.set(keyOfLoss(loss), loss);
    }
  }
  return [...open.values()];
}

/** The losses that are not in the journal yet: neither found nor, since `sight`, acknowledged. */
export function newLosses(
  losses: readonly Loss[],
  entries: readonly JournalEntry[],
  sight: Pick<LastSight, "at">,
): readonly Loss[] {
  const accepted = entries.filter(({ kind, at }) => kind === "loss.acknowledged" && at >= sight.at);
  const known = [...openLosses(entries), ...accepted.flatMap(({ data }) => readLosses(data))];
  const keys = new Set(known.map(keyOfLoss));
  return losses.filter((loss) => !keys.has(keyOfLoss(loss)));
}

export function readLosses({ losses }: JsonObject): readonly Loss[] {
  return Array.isArray(losses) ? (losses.filter(isJsonObject) as unknown as readonly Loss[]) : [];
}

/** Whether a missing stream or consumer exists again. Its messages do not come back. */
export function isBack({ kind, stream, consumer }: Loss, streams: readonly StreamFacts[]): boolean {
  if (kind !== "gone") return false;
  const now = streams.find(({ name }) => name === stream);
  return now !== undefined && (consumer === undefined || now.consumers.some(({ name }) => name === consumer));
}
