import { setTimeout as wait } from "node:timers/promises";
import { AckPolicy, type JetStreamManager, jetstreamManager, StorageType } from "@nats-io/jetstream";
import type { World } from "./world.ts";

/**
 * Applications that create and delete streams and consumers all the time, like test suites, or services with a stream or
 * consumer per request.
 */
export interface Churn extends AsyncDisposable {
  /** How many streams were created and deleted so far. */
  readonly rounds: number;
}

export interface ChurnOptions {
  /** How many applications run at once. */
  readonly workers?: number;
  /** The streams' replica counts; each application uses the next one. */
  readonly replicas?: readonly number[];
  /** A permanent stream that gets a new consumer in each round. */
  readonly steady?: string;
  /** How long each stream lives, in milliseconds; each application uses the next one. */
  readonly lives?: readonly number[];
  /** Milliseconds between an application's streams; by default none, which keeps servers busy. */
  readonly pause?: number;
  /** Whether every other stream is in memory; by default true. */
  readonly memory?: boolean;
}

/** Runs until disposed. Retries failures, because servers may be busy. */
export async function churn(world: World, options: ChurnOptions = {}): Promise<Churn> {
  const {
    workers = 6,
    replicas = [1],
    steady = "ORDERS",
    lives = [0, 20, 200, 700],
    pause = 0,
    memory = true,
  } = options;
  const connection = await world.connectAs("app");
  const manager = await jetstreamManager(connection, { timeout: 10_000, checkAPI: false });
  let isOver = false;
  let rounds = 0;
  const work = async (worker: number): Promise<void> => {
    for (let round = 0; !isOver; round++) {
      // Every other stream reuses a name, because a name does not identify a stream.
      const name = round % 2 === 0 ? `TEST_${worker}` : `REQUEST_${worker}_${round}`;
      const size = replicas[worker % replicas.length] ?? 1;
      const life = lives[worker % lives.length] ?? 0;
      await makeAndDelete(manager, { name, replicas: size, life, steady, memory }).catch(() => wait(20));
      if (pause > 0) await wait(pause);
      rounds++;
    }
  };
  const all = Array.from({ length: workers }, (_, worker) => work(worker));
  return {
    get rounds() {
      return rounds;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all(all);
      await connection.close();
    },
  };
}

interface Passing {
  readonly name: string;
  readonly replicas: number;
  readonly life: number;
  readonly steady: string;
  readonly memory: boolean;
}

async function makeAndDelete(
  manager: JetStreamManager,
  { name, replicas, life, steady, memory }: Passing,
): Promise<void> {
  const storage = memory && name.startsWith("TEST") ? StorageType.Memory : StorageType.File;
  const subjects = [`${name.toLowerCase()}.>`];
  const { config } = await manager.streams.add({
    name,
    subjects,
    storage,
    num_replicas: replicas,
    allow_direct: true,
  });
  try {
    await manager.consumers.add(config.name, { durable_name: "worker", ack_policy: AckPolicy.Explicit });
    const passing = await manager.consumers.add(steady, { ack_policy: AckPolicy.None });
    await wait(life);
    await manager.consumers.delete(steady, passing.name);
  } finally {
    await manager.streams.delete(config.name);
  }
}
