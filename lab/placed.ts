import { setTimeout as pause } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { retry, waitFor } from "./wait.ts";
import type { World } from "./world.ts";

/** Streams and consumers with few replicas, and the server that one of them depends on. */

interface Answer {
  readonly name?: string;
  readonly error?: { readonly err_code: number; readonly description: string };
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly name: string }[] };
}

/** Server tags with which a stream of two replicas can be placed on the servers other than the first. */
export const tagged = (index: number): string => `server_tags: ["${index === 0 ? "first" : "pair"}"]`;

/**
 * Creates ONE (one replica), TWO (two) and THREE (three), with messages, each with a durable consumer that acknowledged
 * some; and on THREE a single-replica consumer `solo` and an ephemeral one. ONE, those two and a replica of TWO are on one
 * server, not the first. Returns its name.
 */
export async function fillPlaced(world: World): Promise<string> {
  const connection = await world.connectAs("app");
  try {
    const ask = asking(connection);
    const make = (name: string, replicas: number, more = {}) =>
      ask(`STREAM.CREATE.${name}`, {
        name,
        subjects: [`${name.toLowerCase()}.>`],
        storage: "file",
        num_replicas: replicas,
        ...more,
      });
    await retry("the first stream to be made", () => make("THREE", 3), 110_000);
    const one = await placed(
      () => make("ONE", 1),
      () => ask("STREAM.DELETE.ONE", {}),
      (leader) => leader !== "lab-1",
    );
    await make("TWO", 2, { placement: { tags: ["pair"] } });
    await durable(ask, "THREE", "full", 3);
    await durable(ask, "ONE", "reader");
    await durable(ask, "TWO", "reader");
    await placed(
      () => durable(ask, "THREE", "solo", 1),
      () => ask("CONSUMER.DELETE.THREE.solo", {}),
      (leader) => leader === one,
    );
    // Clients recreate an ephemeral consumer if its server goes, so nobody misses it.
    await placed(
      () => ask("CONSUMER.CREATE.THREE", { stream_name: "THREE", config: EPHEMERAL }),
      ({ name }) => ask(`CONSUMER.DELETE.THREE.${name}`, {}),
      (leader) => leader === one,
    );
    for (const name of ["one", "two", "three"])
      for (let count = 0; count < 5; count++) await connection.request(`${name}.x`, "message", { timeout: 5_000 });
    for (const [stream, consumer] of [
      ["ONE", "reader"],
      ["TWO", "reader"],
      ["THREE", "full"],
      ["THREE", "solo"],
    ])
      await acknowledge(connection, `${stream}.${consumer}`, 3);
    await pause(500);
    return one;
  } finally {
    await connection.close();
  }
}

type Ask = (what: string, body: object) => Promise<Answer>;

const asking =
  (connection: NatsConnection): Ask =>
  async (what, body) => {
    const reply = await connection.request(`$JS.API.${what}`, JSON.stringify(body), { timeout: 5_000 });
    const answer = reply.json<Answer>();
    if (answer.error !== undefined) throw new Error(`${what}: ${answer.error.description}`);
    return answer;
  };

const durable = (ask: Ask, stream: string, name: string, replicas = 0): Promise<Answer> =>
  ask(`CONSUMER.DURABLE.CREATE.${stream}.${name}`, {
    stream_name: stream,
    config: { durable_name: name, ack_policy: "explicit", num_replicas: replicas },
  });

const EPHEMERAL = { ack_policy: "explicit", inactive_threshold: 3_600_000_000_000 };

/** Creates it again until its leader is on the wanted server, because servers choose by themselves. */
async function placed(
  make: () => Promise<Answer>,
  remove: (answer: Answer) => Promise<unknown>,
  isWell: (leader: string) => boolean,
): Promise<string> {
  return waitFor(
    "a place on the right server",
    async () => {
      const made = await make();
      const leader = made.cluster?.leader;
      if (leader !== undefined && isWell(leader)) return leader;
      await remove(made);
      return undefined;
    },
    { timeout: 60_000 },
  );
}

/** Uses a subscription, because a message arrives with its own subject. */
async function acknowledge(connection: NatsConnection, consumer: string, count: number): Promise<void> {
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${consumer}`;
  for (let left = count; left > 0; left--)
    await retry(`a message of ${consumer} to be acknowledged`, async () => {
      const message = await connection.request(subject, "", { timeout: 2_000, noMux: true });
      if (message.reply === undefined) throw new Error("no message");
      await connection.request(message.reply, "+ACK", { timeout: 2_000 });
    });
}

/** Removes a server from the meta group, as people do with an absent one. */
export async function peerRemove(world: World, peer: string): Promise<void> {
  const system = await world.connectAs("system");
  try {
    const body = JSON.stringify({ peer });
    const reply = await system.request("$JS.API.SERVER.REMOVE", body, { timeout: 5_000 });
    const { error } = reply.json<Answer>();
    if (error !== undefined) throw new Error(error.description);
  } finally {
    await system.close();
  }
}
