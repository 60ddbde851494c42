import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import pMap from "p-map";
import { retry } from "./wait.ts";
import type { World } from "./world.ts";

/** Streams besides buckets: a work queue, and one with interest retention. */
const STREAMS = [
  { name: "WORK", subjects: ["work.>"], retention: "workqueue" },
  { name: "EVENTS", subjects: ["events.*"], retention: "interest" },
];

const CONSUMERS = [
  { stream: "WORK", config: { durable_name: "worker", ack_policy: "explicit" } },
  { stream: "EVENTS", config: { durable_name: "reader", ack_policy: "explicit" } },
  // Ephemeral: without a durable name, it lives as long as somebody uses it, or this long.
  { stream: "WORK_LOG", config: { ack_policy: "explicit", inactive_threshold: 3_600_000_000_000 } },
];

/** Creates a KV bucket, an object store and the streams above, each with a message. */
export async function fillKinds(world: World): Promise<void> {
  const connection = await world.connectAs("app");
  const ask = async (subject: string, body: object): Promise<void> => {
    const reply = await connection.request(subject, JSON.stringify(body), { timeout: 10_000 });
    const { error } = reply.json<{ error?: { description: string } }>();
    if (error !== undefined) throw new Error(error.description);
  };
  try {
    for (const config of [...STREAMS, { name: "WORK_LOG", subjects: ["log.>"] }])
      await retry(`stream ${config.name} to be made`, () =>
        ask(`$JS.API.STREAM.CREATE.${config.name}`, { storage: "file", ...config }),
      );
    const client = jetstream(connection);
    await (await new Kvm(client).create("SETTINGS")).put("color", "red");
    await (await new Objm(client).create("FILES")).putBlob({ name: "one" }, new Uint8Array(16));
    for (const { stream, config } of CONSUMERS) {
      const name = "durable_name" in config ? config.durable_name : undefined;
      const subject =
        name === undefined ? `$JS.API.CONSUMER.CREATE.${stream}` : `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${name}`;
      await ask(subject, { stream_name: stream, config });
    }
    const subjects = ["work.one", "events.one", "log.one"];
    for (const subject of subjects) await connection.request(subject, "content", { timeout: 10_000 });
  } finally {
    await connection.close();
  }
}

/** Creates `count` streams with one consumer each, several at once. */
export async function fillMany(world: World, count: number, replicas: number): Promise<void> {
  const connection = await world.connectAs("app");
  const ask = async (subject: string, body: object): Promise<void> => {
    const reply = await connection.request(subject, JSON.stringify(body), { timeout: 10_000 });
    const { error } = reply.json<{ error?: { err_code: number; description: string } }>();
    // A retried request may have been carried out the first time.
    if (error !== undefined && error.err_code !== NAME_IN_USE) throw new Error(error.description);
  };
  const makeOne = async (index: number): Promise<void> => {
    const name = `S${index}`;
    const stream = { name, subjects: [`s${index}.>`], storage: "file", num_replicas: replicas };
    await retry(`stream ${name}`, () => ask(`$JS.API.STREAM.CREATE.${name}`, stream), 75_000);
    const config = { durable_name: "c", ack_policy: "explicit" };
    const consumer = { stream_name: name, config };
    await retry(`its consumer`, () => ask(`$JS.API.CONSUMER.DURABLE.CREATE.${name}.c`, consumer), 75_000);
  };
  try {
    await makeOne(0);
    const indexes = Array.from({ length: count - 1 }, (_, index) => index + 1);
    await pMap(indexes, makeOne, { concurrency: 16 });
  } finally {
    await connection.close();
  }
}

const NAME_IN_USE = 10058;
