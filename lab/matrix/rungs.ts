import { type ConsumerConfig, type JetStreamManager, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { metaLeader } from "../meta.ts";
import { retry, waitFor } from "../wait.ts";
import type { Built } from "../worlds/build.ts";
import { wreck } from "../worlds/damage.ts";
import { login } from "../worlds/judge.ts";
import { compareVersions } from "../worlds/variations.ts";
import type { RungName } from "./plan.ts";

/** The configurations of everything, as an operator has them in a repository. */
export type Configurations = readonly {
  readonly stream: StreamConfig;
  readonly consumers: readonly ConsumerConfig[];
}[];

export type ByHand = Exclude<RungName, "relight" | "relight-restarts">;

/** Milliseconds: elections, and until mirrors follow again, pass by themselves within this time. */
const PASSES_BY_ITSELF = 15_000;
const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

/** Carries out a remedy with the official client and the servers' own API. What a server refuses is skipped, as by a script. */
export async function byHand(rung: ByHand, built: Built, configurations: Configurations): Promise<void> {
  switch (rung) {
    case "wait":
      return pause(PASSES_BY_ITSELF);
    case "push-again":
      return pushAgain(built, {});
    case "toggle":
      await pushAgain(built, { mem_storage: 0, disk_storage: 0, streams: 0, consumer: 0 });
      await pause(1_000);
      return pushAgain(built, {});
    case "step-down":
      return asAccount(built, (connection) => stepDownAll(connection, configurations));
    case "scale-up":
      return asAccount(built, (connection, manager) => scaleUp(connection, manager, configurations));
    case "direct-gets":
      return asAccount(built, (connection) => toggleDirectGets(connection, configurations));
    case "meta-step-down":
      await wreck(built, { do: "meta-step-down" });
      return;
    case "touch":
      return asAccount(built, (connection, manager) => touch(connection, manager, configurations, built.plan.version));
    case "restarts":
    case "restarts-leader-first":
      return restartEach(built, rung === "restarts");
  }
}

/** Reads all configurations while everything works. */
export async function configurationsOf(built: Built): Promise<Configurations> {
  const found: { stream: StreamConfig; consumers: ConsumerConfig[] }[] = [];
  await asAccount(built, async (_, manager) => {
    for await (const { config } of manager.streams.list()) {
      const consumers: ConsumerConfig[] = [];
      for await (const consumer of manager.consumers.list(config.name)) consumers.push(consumer.config);
      found.push({ stream: config, consumers });
    }
  });
  return found;
}

async function pushAgain({ world }: Built, limits: object): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  await world.push(world.sign(world.claims({ iat: now + 1, exp: now + 7_200, limits })));
}

type Work = (connection: NatsConnection, manager: JetStreamManager) => Promise<unknown>;

async function asAccount({ access }: Built, work: Work): Promise<void> {
  const connection = await retry("a connection of the account", () => login(access, "account"));
  try {
    await work(connection, await jetstreamManager(connection, { timeout: 5_000, checkAPI: false }));
  } finally {
    await connection.close();
  }
}

/** The client's own updates ask for the asset first, which a damaged one does not answer. */
const update = (connection: NatsConnection, stream: Partial<StreamConfig> & { name: string }): Promise<boolean> =>
  tried(connection.request(`$JS.API.STREAM.UPDATE.${stream.name}`, JSON.stringify(stream), { timeout: 3_000 }));

const updateConsumer = (connection: NatsConnection, stream: string, config: ConsumerConfig): Promise<boolean> => {
  const subject = `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${config.durable_name}`;
  return tried(connection.request(subject, JSON.stringify({ stream_name: stream, config }), { timeout: 3_000 }));
};

/** Whatever a server says: the judge decides what it was good for. */
const tried = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

async function stepDownAll(connection: NatsConnection, configurations: Configurations): Promise<void> {
  for (const one of configurations) await stepDown(connection, one);
}

/** A stream's leader steps down, and then those of its consumers. */
async function stepDown(connection: NatsConnection, { stream, consumers }: Configurations[number]): Promise<void> {
  const order = (what: string) => tried(connection.request(`$JS.API.${what}`, "", { timeout: 2_000 }));
  await order(`STREAM.LEADER.STEPDOWN.${stream.name}`);
  await pause(700);
  for (const { durable_name } of consumers) await order(`CONSUMER.LEADER.STEPDOWN.${stream.name}.${durable_name}`);
}

/** Single-replica streams get replicas, all leaders step down, and the replicas go again. */
async function scaleUp(
  connection: NatsConnection,
  manager: JetStreamManager,
  configurations: Configurations,
): Promise<void> {
  const single = configurations.filter(({ stream }) => stream.num_replicas === 1);
  for (const one of single) {
    const { stream } = one;
    const { name } = stream;
    if (!(await update(connection, { ...stream, num_replicas: 3 }))) continue;
    await tried(waitFor(`${name} to have replicas`, () => hasReplicas(manager, name), { timeout: 15_000 }));
    await stepDown(connection, one);
    await pause(1_000);
    await update(connection, stream);
  }
}

async function hasReplicas(manager: JetStreamManager, name: string): Promise<boolean> {
  const { cluster } = await manager.streams.info(name);
  const { leader, replicas = [] } = cluster ?? {};
  return leader !== undefined && replicas.length === 2 && replicas.every(({ current }) => current);
}

async function toggleDirectGets(connection: NatsConnection, configurations: Configurations): Promise<void> {
  for (const { stream } of configurations.filter(({ stream }) => stream.allow_direct)) {
    await update(connection, { ...stream, allow_direct: false });
    await pause(500);
    await update(connection, stream);
  }
}

/**
 * Updates each stream with one changed value, and then its consumers. Single-replica streams get replicas and lose them
 * again. Servers before 2.10 have no metadata; there the description changes.
 */
async function touch(
  connection: NatsConnection,
  manager: JetStreamManager,
  configurations: Configurations,
  version: string,
): Promise<void> {
  const marked = <T extends { metadata?: Record<string, string>; description?: string }>(config: T): T =>
    compareVersions(version, "2.10.0") < 0
      ? { ...config, description: "touched" }
      : { ...config, metadata: { ...config.metadata, touched: "yes" } };
  // Origins before their mirrors.
  const ordered = configurations.toSorted((one, other) => isCopy(one.stream) - isCopy(other.stream));
  for (const { stream } of ordered)
    await update(connection, stream.num_replicas === 1 ? { ...stream, num_replicas: 3 } : marked(stream));
  for (const { stream, consumers } of ordered) {
    await tried(waitFor("a leader", () => hasLeader(manager, stream.name), { timeout: 10_000, interval: 250 }));
    for (const consumer of consumers) await updateConsumer(connection, stream.name, marked(consumer));
  }
  for (const { stream } of ordered.filter(({ stream }) => stream.num_replicas === 1)) {
    await tried(waitFor("replicas", () => hasReplicas(manager, stream.name), { timeout: 5_000, interval: 250 }));
    await update(connection, stream);
  }
}

const isCopy = ({ mirror, sources }: StreamConfig): number =>
  Number(mirror !== undefined || (sources ?? []).length > 0);

async function hasLeader(manager: JetStreamManager, name: string): Promise<boolean> {
  const info = await manager.streams.info(name).catch(() => undefined);
  return info?.cluster?.leader !== undefined;
}

/** Restarts one server at a time, with the meta leader last or first. */
async function restartEach(built: Built, isLeaderLast: boolean): Promise<void> {
  const left = new Set(built.world.servers.keys());
  while (left.size > 0) {
    const leader = await leaderOf(built);
    const next = [...left].toSorted((one, other) => Number(one === leader) - Number(other === leader));
    const index = (isLeaderLast ? next.at(0) : next.at(-1)) ?? 0;
    left.delete(index);
    await wreck(built, { do: "restart", servers: [index], isKilled: false });
  }
}

async function leaderOf({ world }: Built): Promise<number | undefined> {
  if (world.servers.length === 1) return undefined;
  const system = await retry("a connection of the system account", () => world.connectAs("system"));
  try {
    const name = await waitFor("a meta leader", () => metaLeader(system));
    return Number(name.replace("lab-", "")) - 1;
  } finally {
    await system.close();
  }
}
