import { expect, jest, test } from "@jest/globals";
import {
  AckPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import { relight } from "../support/relight.ts";

// A busy machine takes long to form a cluster.
jest.setTimeout(240_000);

/** Few long names need as long a list of permissions as many: a server reads 4,096 bytes of a sign-in. */
const LONG = "n".repeat(180);
const COUNT = 6;

async function fillLong(world: World, storage: StorageType): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    for (let count = 0; count < COUNT; count++) await addLong(manager, count, storage);
  } finally {
    await connection.close();
  }
}

async function addLong(manager: JetStreamManager, count: number, storage: StorageType): Promise<void> {
  const name = `${LONG}${count}`;
  await retry(
    `stream ${name} to be made`,
    () => manager.streams.add({ name, storage, subjects: [`many.${count}`] }),
    60_000,
  );
  await manager.consumers.add(name, { durable_name: `${LONG}c`, ack_policy: AckPolicy.Explicit });
}

test("in a cluster: more streams and consumers than one user may change are all healed", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
  await fillLong(world, StorageType.File);
  const [before, state] = [await configurations(world), await snapshot(world)];
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(await configurations(world)).toEqual(before);
  expect(await snapshot(world)).toEqual(state);
});

test("alone: more memory streams and consumers than one user may create are all recreated", async () => {
  const yaml = "    allowMemoryLoss: true\n";
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, yaml });
  await fillLong(world, StorageType.Memory);
  const before = await configurations(world);
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(await configurations(world)).toEqual(before);
});

/** Streams of each retention, with used consumers of each kind, each with the messages of its own subject. */
async function fillUsed(world: World): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    for (const retention of [RetentionPolicy.Limits, RetentionPolicy.Workqueue, RetentionPolicy.Interest]) {
      const config = { name: retention, subjects: [`${retention}.*`], retention };
      await retry(`stream ${retention} to be made`, () => manager.streams.add(config), 60_000);
      const common = { ack_policy: AckPolicy.Explicit, inactive_threshold: 600_000_000_000 };
      const kinds = {
        plain: { durable_name: "plain" },
        single: { durable_name: "single", num_replicas: 1 },
        passing: { name: "passing" },
      };
      for (const [kind, own] of Object.entries(kinds)) {
        const consumer = { ...common, ...own, filter_subject: `${retention}.${kind}` };
        await manager.consumers.add(retention, consumer);
        for (let count = 0; count < 5; count++) await jetstream(connection).publish(`${retention}.${kind}`, "m");
        const used = await jetstream(connection).consumers.get(retention, kind);
        for (let count = 0; count < 2; count++) await (await used.next({ expires: 5_000 }))?.ackAck();
      }
    }
  } finally {
    await connection.close();
  }
}

test("in a cluster: used single-replica consumers are healed under each retention, and an ephemeral one's loss is reported", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
  await fillUsed(world);
  const [before, state] = [await configurations(world), await snapshot(world)];
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(await configurations(world)).toEqual(before);
  const now = await snapshot(world);
  const isReported = JSON.stringify(now) !== JSON.stringify(state);
  expect(json.losses ?? []).toEqual(
    isReported ? ["ephemeral consumer limits > passing is back at message 0; it was at 12"] : [],
  );
  // Apart from that one's position everything is as before.
  for (const all of [now, state]) delete (all["limits"] as { consumers: Record<string, unknown> }).consumers["passing"];
  expect(now).toEqual(state);
});
