import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { isMetaCurrent } from "../meta.ts";
import { peerRemove } from "../placed.ts";
import { deleteAccount, expire, forgetJwt, renewByHand } from "../scenario.ts";
import { retry, waitFor } from "../wait.ts";
import type { World } from "../world.ts";
import { type Built, configOf } from "./build.ts";
import { login } from "./judge.ts";
import { tiered, withLimits } from "./limits.ts";
import { type Damage, importTarget, literalOf, type StreamPlan } from "./plan.ts";

/** Does the damage, and waits until the servers that run are at rest. What it returns is closed with the world. */
export async function wreck(built: Built, damage: Damage): Promise<readonly NatsConnection[]> {
  const { world } = built;
  switch (damage.do) {
    case "expire":
      await expire(world);
      return [];
    case "expire-renew":
      await expire(world);
      await renewByHand(world);
      return [];
    case "restart-while-expired":
      await expire(world);
      for (const index of damage.servers) await restart(world, index, false);
      await renewByHand(world);
      return [];
    case "restart":
      for (const index of damage.servers) await restart(world, index, damage.isKilled);
      return [];
    case "stop":
      await world.servers[damage.server]?.kill();
      await atRest(world, world.servers.length - 1);
      return [];
    case "peer-remove":
      await world.servers[damage.server]?.stop();
      await removePeer(world, damage.server);
      return [];
    case "step-down":
      await asAccount(built, stepDownAll);
      return [];
    case "meta-step-down":
      await asSystem(world, (system) => system.request("$JS.API.META.LEADER.STEPDOWN", "", { timeout: 2_000 }));
      await atRest(world);
      return [];
    case "fill-storage":
      await fillStorage(built);
      return [];
    case "use-connections":
      return useConnections(built);
    case "delete-stream":
      await asAccount(built, async (connection) => (await jetstreamManager(connection)).streams.delete(damage.stream));
      return [];
    case "recreate-stream":
      await asAccount(built, (connection) => recreate(connection, built, damage.stream));
      return [];
    case "purge-stream":
      await asAccount(built, async (connection) => (await jetstreamManager(connection)).streams.purge(damage.stream));
      return [];
    case "delete-consumer":
      await asAccount(built, async (connection) =>
        (await jetstreamManager(connection)).consumers.delete(damage.stream, damage.consumer),
      );
      return [];
    case "forget-jwt":
      await forgetJwt(world);
      return [];
    case "lower-limits":
      await pushChanged(built, { streams: 1, consumer: 1 });
      return [];
    case "lower-conn":
      await pushChanged(built, { conn: damage.conn });
      return [];
    case "enter-tiers":
      built.change(tiered);
      await pushNow(built);
      return [];
    case "delete-account":
      await deleteAccount(world, world.servers.length);
      return [];
    case "push-import":
      await pushImport(built);
      return [];
  }
}

async function restart(world: World, index: number, isKilled: boolean): Promise<void> {
  const server = world.servers[index];
  await (isKilled ? server?.kill() : server?.stop());
  await server?.start();
  await atRest(world);
}

/** Waits until the meta group is current, as an operator does between two restarts. */
async function atRest(world: World, size = world.servers.length): Promise<void> {
  if (world.servers.length === 1) return;
  const system = await retry("a server to talk to", () => world.connectAs("system"));
  try {
    const isWell = async (): Promise<boolean> => {
      if (size < world.servers.length) return true;
      return isMetaCurrent(system, size);
    };
    await waitFor("the meta group to be current", isWell, { timeout: 60_000 });
  } finally {
    await system.close();
  }
}

async function asSystem<T>(world: World, work: (connection: NatsConnection) => Promise<T>): Promise<T> {
  const connection = await world.connectAs("system");
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

async function asAccount(built: Built, work: (connection: NatsConnection) => Promise<unknown>): Promise<void> {
  const connection = await login(built.access, "account");
  try {
    await work(connection);
  } finally {
    await connection.close();
  }
}

/** Removes a stopped server from the meta group, starts it again, and waits until it has joined. */
async function removePeer(world: World, index: number): Promise<void> {
  const name = `lab-${index + 1}`;
  await retry(`${name} to be removed`, () => peerRemove(world, name), 60_000);
  await world.servers[index]?.start();
}

async function stepDownAll(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: 10_000, checkAPI: false });
  const order = (subject: string): Promise<unknown> =>
    connection.request(`$JS.API.${subject}`, "", { timeout: 5_000 }).catch(() => undefined);
  for await (const stream of manager.streams.names()) {
    await order(`STREAM.LEADER.STEPDOWN.${stream}`);
    await new Promise((done) => setTimeout(done, 700));
    for await (const { name } of manager.consumers.list(stream))
      await order(`CONSUMER.LEADER.STEPDOWN.${stream}.${name}`);
  }
  await new Promise((done) => setTimeout(done, 1_500));
}

/** Lowers the storage limits to little more than what is used, and publishes until it is used up. */
async function fillStorage(built: Built): Promise<void> {
  await pushChanged(built, { disk_storage: 60_000, mem_storage: 60_000 });
  const targets = built.plan.streams.filter(({ subjects }) => subjects.length > 0);
  await asAccount(built, async (connection) => {
    const client = jetstream(connection);
    for (const { subjects } of targets)
      for (let count = 0; count < 40; count++) {
        const publish = client.publish(literalOf(subjects[0] ?? ""), "x".repeat(4_000), { timeout: 2_000, retries: 0 });
        if (
          await publish.then(
            () => false,
            () => true,
          )
        )
          break;
      }
  });
}

/** Connects clients until the servers refuse more. */
async function useConnections({ access }: Built): Promise<readonly NatsConnection[]> {
  const held: NatsConnection[] = [];
  for (let count = 0; count < 20; count++) {
    const connection = await login(access, "account").catch(() => undefined);
    if (connection === undefined) break;
    held.push(connection);
  }
  return held;
}

async function recreate(connection: NatsConnection, { plan }: Built, name: string): Promise<void> {
  const stream = plan.streams.find((one) => one.name === name) as StreamPlan;
  const manager = await jetstreamManager(connection, { timeout: 10_000 });
  await manager.streams.delete(name);
  await retry(`stream ${name} to be made again`, () => manager.streams.add(configOf(stream)));
}

async function pushChanged(built: Built, limits: object): Promise<void> {
  built.change((claims) => withLimits(claims, limits));
  await pushNow(built);
}

const pushNow = ({ world }: Built): Promise<void> =>
  world.push(
    world.sign(world.claims({ iat: Math.floor(Date.now() / 1000) + 1, exp: Math.floor(Date.now() / 1000) + 7_200 })),
  );

/** Adds an import for a stream's subject, as somebody might who joins two applications. */
async function pushImport(built: Built): Promise<void> {
  const target = importTarget(built.plan);
  if (target === undefined) return;
  const added = { name: "more", subject: target.subject, account: built.other, type: "stream" };
  built.change((claims) => ({
    ...claims,
    nats: { ...claims.nats, imports: [...((claims.nats["imports"] as readonly object[] | undefined) ?? []), added] },
  }));
  await pushNow(built);
}
