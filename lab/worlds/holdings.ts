import type { NatsConnection } from "@nats-io/transport-node";
import type { World } from "../world.ts";
import { runningOf } from "./build.ts";
import { type BucketPlan, type StreamPlan, streamOf } from "./plan.ts";

/** What the servers hold of the account, as they report it to the system account: nothing of the account need work. */
export type Holdings = Readonly<Record<string, Held>>;

export interface Held {
  readonly messages: number;
  readonly last: number;
  /** Acknowledged up to this message, by consumer. */
  readonly consumers: Readonly<Record<string, number>>;
}

interface Detail {
  readonly name: string;
  readonly state?: { readonly messages: number; readonly last_seq: number };
  readonly consumer_detail?:
    | readonly { readonly name: string; readonly ack_floor?: { readonly stream_seq: number } }[]
    | null;
}

interface Answer {
  readonly data?: {
    readonly account_details?: readonly { readonly stream_detail?: readonly Detail[] | null }[] | null;
  };
}

/** What the running servers of a world report. */
export async function holdingsOf({ connectAs, accountId, servers }: World): Promise<Holdings> {
  const system = await connectAs("system");
  try {
    return await reportedBy(system, accountId, (await runningOf(servers)).length);
  } finally {
    await system.close();
  }
}

/** Of several replicas the one with most counts. */
async function reportedBy(system: NatsConnection, account: string, servers: number): Promise<Holdings> {
  const body = JSON.stringify({ account, accounts: true, streams: true, consumer: true });
  const options = { strategy: "count", maxMessages: servers, maxWait: 3_000 } as const;
  const found: Record<string, Held> = Object.create(null);
  for await (const reply of await system.requestMany("$SYS.REQ.SERVER.PING.JSZ", body, options)) {
    const details = (reply.json<Answer>().data?.account_details ?? []).flatMap(
      ({ stream_detail }) => stream_detail ?? [],
    );
    for (const detail of details) found[detail.name] = more(found[detail.name], detail);
  }
  return found;
}

function more(before: Held | undefined, { state, consumer_detail }: Detail): Held {
  const consumers: Record<string, number> = Object.assign(Object.create(null), before?.consumers);
  for (const { name, ack_floor } of consumer_detail ?? [])
    consumers[name] = Math.max(consumers[name] ?? 0, ack_floor?.stream_seq ?? 0);
  return {
    messages: Math.max(before?.messages ?? 0, state?.messages ?? 0),
    last: Math.max(before?.last ?? 0, state?.last_seq ?? 0),
    consumers,
  };
}

export interface Lost {
  readonly stream: string;
  readonly consumer?: string;
  readonly what: string;
  readonly isInMemory: boolean;
  /** Absent if it exists and lacks something. */
  readonly isGone?: true;
}

/**
 * What was there and is not any more, of the streams and consumers in the plan. Ephemeral consumers are in memory. Streams
 * with a bound remove messages by themselves, so their count is not compared; work queues and streams with interest
 * retention remove what is acknowledged.
 */
export function lostSince(
  before: Holdings,
  after: Holdings,
  streams: readonly StreamPlan[],
  buckets: readonly BucketPlan[] = [],
): readonly Lost[] {
  const inBuckets = buckets.map((bucket) => ({ name: streamOf(bucket), isInMemory: bucket.isInMemory === true }));
  const lost: Lost[] = [];
  for (const { name, isInMemory } of inBuckets) {
    const [was, is] = [before[name], after[name]];
    if (was === undefined) continue;
    if (is === undefined) lost.push({ stream: name, isGone: true, what: "the bucket is gone", isInMemory });
    else if (is.last < was.last || (is.messages === 0 && was.messages > 0))
      lost.push({ stream: name, what: "it was emptied", isInMemory });
  }
  for (const { name, storage, consumers, maxMessages, retention } of streams) {
    const [was, is] = [before[name], after[name]];
    if (was === undefined) continue;
    const isInMemory = storage === "memory";
    if (is === undefined) {
      lost.push({ stream: name, isGone: true, what: "the stream is gone", isInMemory });
      continue;
    }
    const isEmptied = isInMemory && is.messages < was.messages;
    const acknowledged = retention === "limits" ? 0 : acknowledgedSince(was, is);
    const isCounted = maxMessages === undefined && !(retention === "interest" && isLeft(was, is));
    if (is.last < was.last || (isCounted && is.messages + acknowledged < was.messages))
      lost.push({ stream: name, what: `${was.messages} messages became ${is.messages}`, isInMemory });
    for (const consumer of consumers) {
      const [floor, now] = [was.consumers[consumer.name], is.consumers[consumer.name]];
      const about = {
        stream: name,
        consumer: consumer.name,
        isInMemory: isInMemory || consumer.isInMemory === true || consumer.isEphemeral === true,
      };
      if (floor === undefined) continue;
      // A position among messages that are gone repeats none of them.
      if (isEmptied && now !== undefined) continue;
      if (now === undefined) lost.push({ ...about, isGone: true, what: "the consumer is gone" });
      else if (now < floor) lost.push({ ...about, what: `it fell back from ${floor} to ${now}` });
    }
  }
  return lost;
}

/** Whether a consumer's owner has deleted it: what only it had an interest in goes with it, if not at once. */
const isLeft = (was: Held, is: Held): boolean =>
  Object.keys(is.consumers).length === 0 || Object.keys(was.consumers).some((name) => !(name in is.consumers));

/** At most how many messages were acknowledged meanwhile. */
function acknowledgedSince(was: Held, is: Held): number {
  const moved = Object.entries(is.consumers).map(([name, now]) => Math.max(0, now - (was.consumers[name] ?? now)));
  return moved.reduce((total, count) => total + count, 0);
}
