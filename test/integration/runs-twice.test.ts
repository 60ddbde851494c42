import { expect, test } from "@jest/globals";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { nowSeconds } from "../../lab/keys.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** How often JetStream is turned off and on at most; about one time in three leaves a stream that runs twice. */
const MOST = 60;

test("a stream that was created while JetStream was turned off and on runs twice: said, and gone after a restart", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 1 });
  const client = await world.connectAs("app");
  const stream = await toggleUntilOneRunsTwice(world, client);
  await client.close();

  const { json: seen } = await relight(world, "verify", "APP", "--json");
  const subject = expect.objectContaining({ stream });
  const found = expect.objectContaining({ code: "stream.runs_twice", health: "degraded", subject });
  expect(seen).toMatchObject({ verdict: "degraded", findings: [found] });
  const { json: healed } = await relight(world, "heal", "APP", "--json");
  const refused = expect.objectContaining({ rung: "restart-servers", result: "refused" });
  expect(healed).toMatchObject({ outcome: "refused", rungs: [refused] });

  for (const server of world.servers) {
    await server.stop();
    await server.start();
  }
  await retry("the account to be healthy after a restart", async () => {
    const { json } = await relight(world, "verify", "APP", "--json");
    expect(json).toMatchObject({ verdict: "healthy", findings: [] });
  });
});

/** Turns JetStream off and on for the account until a publish gets two acknowledgments. */
async function toggleUntilOneRunsTwice(world: World, client: NatsConnection): Promise<string> {
  const manager = await jetstreamManager(client, { timeout: 10_000, checkAPI: false });
  for (let toggle = 1; toggle <= MOST; toggle++) {
    const names = await createDuringToggle(world, manager, toggle);
    for (const name of names) if ((await acknowledgments(client, name)) === 2) return name;
  }
  throw new Error(`no stream ran twice after ${MOST} toggles`);
}

/** The streams that were created meanwhile. */
async function createDuringToggle(world: World, manager: JetStreamManager, toggle: number): Promise<readonly string[]> {
  let isOver = false;
  const created: string[] = [];
  const work = async (worker: number): Promise<void> => {
    for (let round = 0; !isOver; round++) {
      const name = `MADE_${toggle}_${worker}_${round}`;
      const config = { name, subjects: [name] };
      if (await manager.streams.add(config).catch(() => undefined)) created.push(name);
    }
  };
  const workers = [1, 2, 3, 4].map(work);
  const claims = world.claims({ iat: nowSeconds() });
  const none = { ...(claims.nats["limits"] as object), mem_storage: 0, disk_storage: 0 };
  await world.push(world.sign({ ...claims, nats: { ...claims.nats, limits: none } }));
  await world.push(world.sign(claims));
  isOver = true;
  await Promise.all(workers);
  return created;
}

async function acknowledgments(client: NatsConnection, stream: string): Promise<number> {
  const inbox = `_INBOX.${stream}`;
  let count = 0;
  const subscription = client.subscribe(inbox, { callback: () => void count++ });
  client.publish(stream, "hello", { reply: inbox });
  await retry("an acknowledgment", async () => {
    await client.flush();
    if (count === 0) throw new Error("none yet");
  });
  await client.flush();
  subscription.unsubscribe();
  return count;
}
