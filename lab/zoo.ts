import { AckPolicy, type JetStreamManager, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { assertBucketsWork, fillBuckets, named } from "./buckets.ts";
import { allConsumers, allStreams } from "./lists.ts";
import { fill } from "./scenario.ts";
import { retry, waitFor } from "./wait.ts";
import type { World } from "./world.ts";

/** One of everything that JetStream supports in a cluster, and a check that each works. */

/** Ten minutes, longer than any test; nanoseconds. */
const STAYS = 600_000_000_000;

export interface ZooOptions {
  /** Whether to create a mirror and a source; by default true. */
  readonly copies?: boolean;
  /** Whether to create an ephemeral consumer; by default true. */
  readonly ephemeral?: boolean;
  /** The maximum replicas of KV buckets and object stores; by default three. */
  readonly bucketReplicas?: number;
}

/**
 * Creates streams with three replicas and one, on file and in memory, a work queue, KV buckets and object stores, with
 * `copies` mirrors and a source, and pull, push, ephemeral and single-replica consumers; with messages in each.
 */
export async function fillZoo(
  world: World,
  { copies = true, ephemeral = true, bucketReplicas = 3 }: ZooOptions = {},
): Promise<void> {
  await fill(world, { replicas: 3, messages: 10 });
  await asApp(world, async (connection, manager) => {
    // On a busy machine a server may look offline for a moment ("no suitable peers, peer offline").
    const add = (config: Parameters<JetStreamManager["streams"]["add"]>[0]) =>
      retry(`stream ${config.name} to be made`, () => manager.streams.add(config), 60_000);
    const memory = { storage: StorageType.Memory };
    await add({ name: "ONE", subjects: ["one.*"], num_replicas: 1 });
    await add({ name: "BARE", subjects: ["bare.*"], num_replicas: 1 });
    await add({ name: "MEM", subjects: ["mem.*"], num_replicas: 1, ...memory });
    await add({ name: "MEM3", subjects: ["mem3.*"], num_replicas: 3, ...memory });
    await fillBuckets(connection, bucketReplicas);
    if (copies) {
      // The server makes it answer direct gets of the bucket too (`mirror_direct`).
      await add({ name: "BUCKET_COPY", mirror: { name: "KV_local" }, num_replicas: 1 });
      await add({ name: "MIRROR", mirror: { name: "ONE" }, num_replicas: 1 });
      await add({ name: "SOURCED", sources: [{ name: "BARE" }], num_replicas: 3 });
    }
    const explicit = { ack_policy: AckPolicy.Explicit };
    await manager.consumers.add("ONE", { durable_name: "oner", ...explicit });
    await manager.consumers.add("MEM", { durable_name: "reader", ...explicit });
    await manager.consumers.add("ORDERS", { durable_name: "single", num_replicas: 1, ...explicit });
    if (ephemeral) await manager.consumers.add("ORDERS", { name: "passing", inactive_threshold: STAYS, ...explicit });
    const client = jetstream(connection);
    for (const subject of ["one.a", "one.b", "bare.a", "mem.a", "mem3.a"])
      await client.publish(subject, `first on ${subject}`);
    if (copies) await copied(manager, ["MIRROR", 2], ["SOURCED", 1], ["BUCKET_COPY", 1]);
  });
}

/**
 * Checks that every stream accepts a message, every pull consumer and an ordered consumer deliver, buckets work as
 * applications use them, and mirrors and sources follow. `without` are missing consumers, such as `ORDERS > single`.
 */
export async function assertZooWorks(world: World, without: readonly string[] = []): Promise<void> {
  await asApp(world, async (connection, manager) => {
    const client = jetstream(connection);
    const before = new Map<string, number>();
    for (const { config, state } of await allStreams(connection)) before.set(config.name, state.messages);
    const subjects = ["orders.0", "jobs.two", "one.c", "bare.b", "mem.b", "mem3.b"];
    for (const subject of subjects) await client.publish(subject, `later on ${subject}`, { timeout: 5_000 });
    for (const consumer of PULLED.filter((one) => !without.includes(one))) {
      const [stream = "", name = ""] = consumer.split(" > ");
      const message = await named(consumer, async () => (await client.consumers.get(stream, name)).next(WITHIN));
      if (message === null) throw new Error(`${consumer} delivered no message`);
      await message.ackAck();
    }
    await readInOrder(connection, "ONE");
    await assertBucketsWork(connection);
    const copies = ["MIRROR", "SOURCED", "BUCKET_COPY"].filter((copy) => before.has(copy));
    await copied(manager, ...copies.map((copy) => [copy, (before.get(copy) ?? 0) + 1] as const));
  });
}

const WITHIN = { expires: 5_000 };

/**
 * Replays a stream like an application, which tries again: a server may hear of the new consumer a moment later than its
 * client, and has no responders until then (seen on 2.12.5).
 */
async function readInOrder(connection: NatsConnection, stream: string): Promise<void> {
  const read = async () => {
    const consumer = await jetstream(connection).consumers.get(stream);
    return consumer.next(WITHIN).finally(() => consumer.delete().catch(() => false));
  };
  const message = await retry(`an ordered consumer of ${stream}`, read, 10_000);
  if (message?.seq !== 1) throw new Error(`an ordered consumer of ${stream} began at ${message?.seq}`);
}

const PULLED = ["ORDERS > shipping", "ORDERS > single", "ORDERS > passing", "ONE > oner", "MEM > reader"];

/** The consumers in the cluster's metadata, such as `ORDERS > single`, whether or not they work. */
export async function knownConsumers(world: World): Promise<readonly string[]> {
  return asApp(world, async (connection) => {
    const known: string[] = [];
    for (const stream of new Set(PULLED.map((consumer) => consumer.split(" > ")[0]))) {
      const names = await retry(`the names of ${stream}'s consumers`, () => namesOf(connection, stream), 60_000);
      known.push(...names.map((name) => `${stream} > ${name}`));
    }
    return known;
  });
}

/** @throws Error if the API answers with one, as during an election of the meta leader. */
async function namesOf(connection: NatsConnection, stream = ""): Promise<readonly string[]> {
  const reply = await connection.request(`$JS.API.CONSUMER.NAMES.${stream}`, "{}", { timeout: 10_000 });
  const { consumers, error } = reply.json<{
    consumers?: readonly string[];
    error?: { description: string };
  }>();
  if (error !== undefined) throw new Error(error.description);
  return consumers ?? [];
}

/** The streams' configurations by name. */
export async function configurations(world: World): Promise<Readonly<Record<string, unknown>>> {
  return asApp(world, async (connection) => {
    const found: Record<string, unknown> = {};
    for (const { config } of await allStreams(connection)) {
      const consumers: Record<string, number | undefined> = {};
      for (const consumer of await allConsumers(connection, config.name))
        consumers[consumer.name] = consumer.config.num_replicas;
      found[config.name] = { ...config, consumers };
    }
    return found;
  });
}

/** Waits for mirrors and sources, which resume by themselves 10 to 15 seconds after their origin works again. */
async function copied(manager: JetStreamManager, ...wanted: readonly (readonly [string, number])[]): Promise<void> {
  for (const [stream, messages] of wanted)
    await waitFor(
      `${stream} to hold ${messages} messages`,
      async () => (await manager.streams.info(stream)).state.messages >= messages,
      { timeout: 40_000 },
    );
}

async function asApp<T>(
  world: World,
  work: (connection: NatsConnection, manager: JetStreamManager) => Promise<T>,
): Promise<T> {
  const connection = await world.connectAs("app");
  try {
    return await work(connection, await jetstreamManager(connection, { timeout: 10_000, checkAPI: false }));
  } finally {
    await connection.close();
  }
}
