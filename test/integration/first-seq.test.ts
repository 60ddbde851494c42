import { expect, jest, test } from "@jest/globals";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { expire, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(180_000);

/** Streams that a server empties when it loads them (nats-server #6753). Found by `npm run worlds`. */

/** A stream of five messages that begins at 1000; it takes what {@link symptoms} publishes. */
async function fillFrom1000(world: World, replicas = 1): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await jetstreamManager(connection);
    const config = { name: "ORDERS", subjects: ["orders.>"], first_seq: 1_000, num_replicas: replicas };
    await retry("the stream to be made", () => manager.streams.add(config));
    await manager.consumers.add("ORDERS", { durable_name: "shipping", ack_policy: "explicit" });
    for (let count = 0; count < 5; count++) await jetstream(connection).publish("orders.x", "message");
  } finally {
    await connection.close();
  }
}

async function stateOf(world: World) {
  const connection = await world.connectAs("app");
  try {
    const { state } = await (await jetstreamManager(connection)).streams.info("ORDERS");
    return { messages: state.messages, first: state.first_seq };
  } finally {
    await connection.close();
  }
}

test("JetStream of an account whose stream would be emptied is not turned off and on, until its first message is gone", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  await fillFrom1000(world);
  const { json: verified } = await relight(world, "verify", "APP", "--json");
  expect(verified).toMatchObject({ verdict: "healthy", warnings: [{ code: "stream.emptied_by_restart" }] });
  expect((await relight(world, "doctor")).stdout).toMatch(
    /DO NOT RESTART[\s\S]*APP: a server that starts again empties/,
  );

  await expire(world);
  await renewByHand(world);
  const { json: refused } = await relight(world, "heal", "APP", "--json");
  expect(refused).toMatchObject({ outcome: "refused", verdict: "dead" });
  expect(refused.why).toMatch(/would empty stream ORDERS.*#6753.*`nats stream rmm ORDERS 1000`/);
  expect(await stateOf(world)).toEqual({ messages: 5, first: 1_000 });

  const connection = await world.connectAs("app");
  await (await jetstreamManager(connection)).streams.deleteMessage("ORDERS", 1_000);
  await connection.close();
  const { json: healed } = await relight(world, "heal", "APP", "--json");
  expect(healed).toMatchObject({ outcome: "healed", verdict: "healthy", warnings: [] });
  expect(await stateOf(world)).toEqual({ messages: 4, first: 1_001 });
  expect(await symptoms(world)).toMatchObject({ publish: "ok" });
});

test("a fixed version empties nothing: no warning, and it is healed", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.15.2")).path });
  await fillFrom1000(world);
  await world.server.stop();
  await world.server.start();
  expect(await stateOf(world)).toEqual({ messages: 5, first: 1_000 });
  const { json } = await relight(world, "verify", "APP", "--json");
  expect(json).toMatchObject({ verdict: "healthy", warnings: [] });
});
