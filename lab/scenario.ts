import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import {
  AckPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { nowSeconds, signClaims } from "./keys.ts";
import { allConsumers, allStreams } from "./lists.ts";
import { isMetaCurrent } from "./meta.ts";
import type { NatsServer } from "./nats-server.ts";
import { type AccountState, accountStates } from "./pushes.ts";
import { retry, waitFor } from "./wait.ts";
import type { World } from "./world.ts";

/** The life of an account in production: it is used, expires, is renewed, and is dead. */

export interface FillOptions {
  /** Messages published to the ORDERS stream. */
  readonly messages?: number;
  /** Also create a memory stream. */
  readonly memory?: boolean;
  /** Replicas of each stream, in a cluster. */
  readonly replicas?: number;
}

/** Creates streams, a pull and a push consumer and messages, and acknowledges some. */
export async function fill(
  world: World,
  { messages = 100, memory = false, replicas = 1 }: FillOptions = {},
): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    const common = { storage: StorageType.File, num_replicas: replicas };
    // In a cluster this needs a meta leader, and servers must know each other's storage. On a busy machine a server may
    // learn that only with the next statistics.
    const first = { ...common, name: "ORDERS", subjects: ["orders.*"] };
    await retry("the first stream to be made", () => manager.streams.add(first), 110_000);
    await manager.streams.add({
      ...common,
      name: "JOBS",
      subjects: ["jobs.>"],
      retention: RetentionPolicy.Workqueue,
    });
    if (memory) await addMemoryStream(manager);
    await manager.consumers.add("ORDERS", { durable_name: "shipping", ack_policy: AckPolicy.Explicit });
    await manager.consumers.add("ORDERS", {
      durable_name: "audit",
      ack_policy: AckPolicy.None,
      deliver_subject: "audit.in",
    });
    const client = jetstream(connection);
    for (let count = 1; count <= messages; count++) await client.publish(`orders.${count % 7}`, `order ${count}`);
    await client.publish("jobs.one", "the only job");
    if (memory) await client.publish("cache.one", "only in memory");
    const shipping = await client.consumers.get("ORDERS", "shipping");
    for (let left = Math.min(messages, 3); left > 0; left--) await (await shipping.next())?.ackAck();
  } finally {
    await connection.close();
  }
}

async function addMemoryStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.add({ name: "CACHE", subjects: ["cache.>"], storage: StorageType.Memory });
  await manager.consumers.add("CACHE", { durable_name: "reader", ack_policy: AckPolicy.Explicit });
}

/** Lifetimes in seconds of the expiring claims, in the order in which they are tried. */
const LIFETIMES = [2, 4, 8, 16];
/** How long a server needs at most to act on an expiry; milliseconds. */
const EXPIRES_WITHIN = 10_000;

/** Lets the account expire: pushes short-lived claims, and waits until the servers report the expiry. */
export async function expire(world: World, limits: object = {}): Promise<void> {
  const system = await world.connectAs("system");
  try {
    for (const lives of LIFETIMES) {
      if (await expiresAfter(world, system, lives, limits)) return;
      // The claims expired before every server had loaded them, so some never ran them or disconnected nobody.
      await world.push(world.sign(world.claims({ exp: nowSeconds() + 3_600, limits })));
    }
    throw new Error(`${world.accountId} did not expire on every server: the claims expired before they arrived`);
  } finally {
    await system.close();
  }
}

/** Whether every server ran claims with this lifetime, and they then expired. */
async function expiresAfter(world: World, system: NatsConnection, lives: number, limits: object): Promise<boolean> {
  // A client is connected when it happens, as in production; the server disconnects it.
  const client = await world.connectAs("app");
  try {
    const before = new Set((await accountStates(system, world)).map(({ jwt }) => jwt));
    const token = world.sign(world.claims({ exp: nowSeconds() + lives, limits }));
    // Every kind of resolver takes it on this subject.
    await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.UPDATE`, token, { timeout: 5_000 });
    // A running `watch` may already have renewed it.
    const isOver = ({ jwt, expired }: AccountState): boolean => !before.has(jwt) && (jwt !== token || expired === true);
    const hasExpired = async (): Promise<boolean> => {
      const states = await accountStates(system, world);
      return client.isClosed() && states.length > 0 && states.every(isOver);
    };
    const timeout = lives * 1_000 + EXPIRES_WITHIN;
    return await waitFor("the account to expire", hasExpired, { timeout }).catch(() => false);
  } finally {
    await client.close();
  }
}

/** Deletes the account like `nsc push -R` and `-P`, and waits until this many servers report it. */
export async function deleteAccount(world: World, servers = 1): Promise<void> {
  const deleted = (await orderDeletion(world, servers)).filter((refusal) => refusal === undefined).length;
  if (deleted < servers) throw new Error(`${deleted} of ${servers} servers deleted ${world.accountId}`);
}

/** Sends the same order, and returns each server's refusal; undefined if it deleted the account. */
export async function orderDeletion({ operator, accountId, connectAs }: World, servers = 1) {
  const system = await connectAs("system");
  try {
    const nats = { accounts: [accountId], type: "generic", version: 2 };
    const order = signClaims({ sub: operator.getPublicKey(), nats }, operator);
    const options = { strategy: "count", maxMessages: servers, maxWait: 5_000 } as const;
    const refusals: (string | undefined)[] = [];
    for await (const reply of await system.requestMany("$SYS.REQ.CLAIMS.DELETE", order, options))
      refusals.push(reply.json<{ error?: { description: string } }>().error?.description);
    return refusals;
  } finally {
    await system.close();
  }
}

/**
 * Removes the JWT from every resolver's folder, as a full resolver does within a minute of its expiry
 * (test/contracts/resolver.test.ts waits for that).
 */
export async function forgetJwt({ accountId, servers }: World): Promise<void> {
  await Promise.all(servers.map(({ folder }) => rm(join(folder, "jwt", `${accountId}.jwt`))));
}

/** Renews it by hand: signs and pushes again. On an affected version JetStream stays dead. */
export async function renewByHand(world: World, lives = 3_600, limits: object = {}): Promise<void> {
  await world.push(world.sign(world.claims({ exp: nowSeconds() + lives, iat: nowSeconds() + 1, limits })));
  const system = await world.connectAs("system");
  try {
    await waitFor("the renewed account to be accepted", async () => {
      const states = await accountStates(system, world);
      return states.every(({ expired }) => expired !== true);
    });
  } finally {
    await system.close();
  }
}

/**
 * Does new damage on every version: restarts the servers one after another while the account is expired, like an
 * orchestrator, and only then renews it.
 */
export async function restartWhileExpired(world: World, order = world.servers): Promise<void> {
  await expire(world);
  for (const server of order) {
    await server.stop();
    await server.start();
    // Up to 2.12.7 a damaged server that is behind the meta leader's log panics when it gets a snapshot.
    await metaIsCurrent(world);
  }
  await renewByHand(world);
}

/** Every server restarts, one after the other. @param stop how each ends; by default with SIGTERM */
export async function restartEach(
  world: World,
  stop: (server: NatsServer) => Promise<void> = (server) => server.stop(),
): Promise<void> {
  for (const server of world.servers) {
    await stop(server);
    await server.start();
    if (world.servers.length > 1) await metaIsCurrent(world);
  }
}

async function metaIsCurrent(world: World): Promise<void> {
  const system = await retry("a server to talk to", () => world.connectAs("system"));
  try {
    const isCurrent = () => isMetaCurrent(system, world.servers.length);
    await waitFor("every server to keep up with the meta leader", isCurrent, { timeout: 60_000 });
  } finally {
    await system.close();
  }
}

/** The usual checks, and whether the account really works. */
export interface Symptoms {
  /** `$JS.API.INFO` answered without an error. */
  readonly apiInfo: "ok" | "error";
  readonly streamInfo: "ok" | "error";
  /** `ok`, or the error that a publisher sees. */
  readonly publish: string;
  readonly fetch: string;
}

/** Checks as a client of the account: publishes a message and fetches one. */
export async function symptoms(world: World): Promise<Symptoms> {
  const connection = await world.connectAs("app");
  try {
    return {
      apiInfo: await api(connection, "$JS.API.INFO"),
      streamInfo: await api(connection, "$JS.API.STREAM.INFO.ORDERS"),
      // A plain request shows the server's own answer; the JetStream client turns it into "not enabled".
      publish: await attempt(() => publishPlainly(connection)),
      fetch: await attempt(() => fetchOne(connection)),
    };
  } finally {
    await connection.close();
  }
}

/** @throws Error if nobody answers, or JetStream refuses the message. */
async function publishPlainly(connection: NatsConnection): Promise<void> {
  const reply = await connection.request("orders.probe", "probe", { timeout: 10_000 });
  const { error } = reply.json<{ error?: { description?: string } }>();
  if (error !== undefined) throw new Error(error.description ?? "JetStream refused the message");
}

/** Message contents, sequences and consumer positions, which must be the same before and after. */
export async function snapshot(world: World): Promise<Record<string, unknown>> {
  const connection = await world.connectAs("app");
  try {
    const manager = await jetstreamManager(connection);
    const state: Record<string, unknown> = {};
    for (const { config, state: stream } of await allStreams(connection)) {
      const { messages, first_seq: first, last_seq: last } = stream;
      const contents = await digest(manager, config.name, first, last);
      state[config.name] = {
        messages,
        first,
        last,
        contents,
        consumers: await positions(connection, config.name),
      };
    }
    return state;
  } finally {
    await connection.close();
  }
}

/** A hash over all messages, read through the API, which works even if the stream is deaf. */
async function digest(manager: JetStreamManager, stream: string, first: number, last: number): Promise<string> {
  const hash = createHash("sha256");
  for (let seq = first; seq > 0 && seq <= last; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    hash.update(message === null ? `${seq} gone` : `${message.subject} ${message.string()}`);
  }
  return hash.digest("hex").slice(0, 16);
}

async function positions(connection: NatsConnection, stream: string) {
  const found: Record<string, unknown> = {};
  for (const { name, ack_floor, num_pending } of await allConsumers(connection, stream))
    found[name] = { ack_floor: ack_floor.stream_seq, num_pending };
  return found;
}

async function api(connection: NatsConnection, subject: string): Promise<"ok" | "error"> {
  const reply = await connection.request(subject, "", { timeout: 10_000 });
  return reply.json<{ error?: unknown }>().error === undefined ? "ok" : "error";
}

async function fetchOne(connection: NatsConnection): Promise<void> {
  const consumer = await jetstream(connection).consumers.get("ORDERS", "shipping");
  const message = await consumer.next({ expires: 5_000 });
  if (message === null) throw new Error("no message within five seconds");
  await message.ackAck();
}

async function attempt(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "ok";
  } catch (error) {
    return (error as Error).message;
  }
}
