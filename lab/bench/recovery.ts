import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import type { NatsServer } from "../nats-server.ts";
import { expire, renewByHand, restartEach } from "../scenario.ts";
import { serverBinary } from "../server-binaries.ts";
import { retry, waitFor } from "../wait.ts";
import { createWorld, type World } from "../world.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
import { relight } from "./processes.ts";

const VERSION = "2.10.27";
const SERVERS = 3;
const KINDS: Readonly<Record<string, readonly number[]>> = {
  "three replicas": [3],
  "one replica": [1],
  "three and one": [3, 1],
};
/** How many streams of each kind. */
const STREAMS = 5;
/** As in the official Helm chart: clients are moved to other servers before one ends. */
const LAME_DUCK = 'lame_duck_duration: "30s"\nlame_duck_grace_period: "10s"\n';
/** How often the publishers send; milliseconds. */
const EVERY = 100;
const TIMEOUT = 2_000;

export const recovery: Benchmark = {
  name: "recovery",
  title: "Reviving a dead account",
  about: `A cluster of ${SERVERS} servers; an account with ${STREAMS} streams on file of each kind, each with a durable pull consumer, has expired and was
renewed (nats-server #6806), so all of them are deaf. One publisher for each stream sends ten messages a second throughout.
**The rolling restart** restarts one server after the other, each when the one before is back and up to date: once with
SIGTERM, which closes every client of every account at once, and once in lame duck mode with the official Helm chart's
settings, which moves them away first. A pod that has to be scheduled, or a large store, takes longer than here.
**Relight** is \`relight heal --json\`, timed from the start of the process to its end, with its proof. Both end when every
stream takes a message and every consumer delivers one, as the official client sees it. The round counts only if every
acknowledged message is there afterwards, and Relight's only if no server restarted.`,
  servers: [VERSION],
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    for (const [kind, replicas] of Object.entries(KINDS)) {
      await using world = await createWorld({ binary, size: SERVERS, config: () => LAME_DUCK });
      const names = await fillKinds(world, replicas);
      await bench.compare({
        work: `${names.length} streams of ${kind}`,
        baseline: { name: "a rolling restart", run: () => revived(world, names, () => restartEach(world)) },
        others: [
          {
            name: "a rolling restart with lame duck mode",
            run: () => revived(world, names, () => restartEach(world, endSlowly)),
            rounds: 1,
          },
          { name: "Relight", aim: { times: 0.1 }, run: () => revived(world, names, () => heal(world, bench)) },
        ],
      });
    }
  },
};

/** In lame duck mode: the server stops accepting clients, and closes those that it has within thirty seconds. */
async function endSlowly(server: NatsServer): Promise<void> {
  const pid = server.pid();
  if (pid !== undefined) process.kill(pid, "SIGUSR2");
  await waitFor("the server to end", () => server.pid() === undefined, { timeout: 120_000 });
}

async function fillKinds(world: World, replicas: readonly number[]): Promise<readonly string[]> {
  const connection = await world.connectAs("app");
  try {
    const manager = await jetstreamManager(connection, { timeout: 20_000, checkAPI: false });
    const streams = replicas.flatMap((count) =>
      Array.from({ length: STREAMS }, (_, index) => ({ name: `R${count}_${index}`, num_replicas: count })),
    );
    for (const { name, num_replicas } of streams) {
      const config = { name, subjects: [name], storage: StorageType.File, num_replicas };
      await retry(`${name} to be made`, () => manager.streams.add(config), 60_000);
      const consumer = { durable_name: "worker", ack_policy: AckPolicy.Explicit };
      await retry("its consumer to be made", () => manager.consumers.add(name, consumer), 60_000);
    }
    return streams.map(({ name }) => name);
  } finally {
    await connection.close();
  }
}

/** Kills the account, revives it, and counts what the publishers sent meanwhile. */
async function revived(world: World, names: readonly string[], revive: () => Promise<void>): Promise<Sample> {
  await expire(world);
  await renewByHand(world);
  await using publishers = await publishTo(world, names);
  const began = performance.now();
  await revive();
  await waitFor("every stream to work", () => allWork(world, names));
  const seconds = (performance.now() - began) / 1000;
  await publishers.stop();
  await assertKept(world, publishers.acknowledged);
  return { seconds };
}

interface Publishers extends AsyncDisposable {
  /** The sequences that servers acknowledged, by stream. */
  readonly acknowledged: ReadonlyMap<string, Set<number>>;
  stop(): Promise<void>;
}

async function publishTo(world: World, names: readonly string[]): Promise<Publishers> {
  const connection = await world.connectAs("app");
  const client = jetstream(connection, { timeout: TIMEOUT });
  const acknowledged = new Map(names.map((name) => [name, new Set<number>()]));
  let isOver = false;
  const send = async (name: string): Promise<void> => {
    while (!isOver) {
      const answer = await client.publish(name, "x").catch(() => undefined);
      if (answer !== undefined) acknowledged.get(name)?.add(answer.seq);
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
  };
  const sending = Promise.all(names.map(send));
  const stop = async (): Promise<void> => {
    isOver = true;
    await sending;
    await connection.close();
  };
  return { acknowledged, stop, [Symbol.asyncDispose]: stop };
}

/** Whether every stream takes a message, and every consumer delivers one. */
async function allWork(world: World, names: readonly string[]): Promise<boolean> {
  const connection = await world.connectAs("app").catch(() => undefined);
  if (connection === undefined) return false;
  try {
    const works = await Promise.all(names.map((name) => worksOne(connection, name)));
    return works.every(Boolean);
  } finally {
    await connection.close();
  }
}

async function worksOne(connection: NatsConnection, name: string): Promise<boolean> {
  try {
    const client = jetstream(connection, { timeout: TIMEOUT });
    await client.publish(name, "x");
    const message = await (await client.consumers.get(name, "worker")).next({ expires: TIMEOUT });
    return (await message?.ackAck()) === true;
  } catch {
    return false;
  }
}

async function assertKept(world: World, acknowledged: Publishers["acknowledged"]): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await jetstreamManager(connection, { timeout: 20_000 });
    for (const [name, sequences] of acknowledged) {
      const { state } = await manager.streams.info(name, { deleted_details: true });
      const gone = new Set(state.deleted ?? []);
      const lost = [...sequences].filter((seq) => seq < state.first_seq || seq > state.last_seq || gone.has(seq));
      if (lost.length > 0) throw new Error(`${name} lost ${lost.length} of ${sequences.size} acknowledged messages`);
    }
  } finally {
    await connection.close();
  }
}

async function heal(world: World, bench: Bench): Promise<void> {
  const before = world.servers.map((server) => server.pid());
  const { stdout, stderr } = await relight(bench, world.home, "heal", "APP", "--json");
  const { outcome, losses = [] } = JSON.parse(stdout || "{}") as { outcome?: string; losses?: readonly string[] };
  if (outcome !== "healed" || losses.length > 0)
    throw new Error(`relight heal: ${stdout.slice(0, 3_000)}${stderr.slice(0, 2_000)}`);
  if (world.servers.some((server, index) => server.pid() !== before[index])) throw new Error("a server restarted");
}
