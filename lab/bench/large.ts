import { AckPolicy, jetstreamManager, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { serverBinary } from "../server-binaries.ts";
import { retry } from "../wait.ts";
import { createWorld, type World } from "../world.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
import { relight, withServerCpu } from "./processes.ts";

const VERSION = "2.10.27";
const SERVERS = 3;
const STREAMS = 1_000;
const CONSUMERS = ["first", "second"] as const;
/** How many streams are created at once. */
const AT_ONCE = 16;
const TIMEOUT = 60_000;
/** More than any account has; without it servers list 1,024. */
const ALL = 1_000_000;

export const large: Benchmark = {
  name: "large",
  title: "Checking a large account",
  about: `A cluster of ${SERVERS} servers has an account with ${STREAMS.toLocaleString("en")} streams of one replica on file, each with a durable pull consumer and
another one. **The bare client** asks every server at once for what a verdict needs at least: the account's streams and
consumers with their configurations (JSZ), its subscriptions (SUBSZ) and its connections (CONNZ). It parses the answers and
judges nothing; it is timed from its connection to the last answer. **Relight** is \`relight verify --json\`, timed from the
start of the process to its end. It also checks the claims and the account's own view, reads everything twice to leave out
what was deleted meanwhile, and judges. The round counts only if it says that the account is healthy.`,
  servers: [VERSION],
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    const count = bench.scaled(STREAMS);
    await using world = await createWorld({ binary, size: SERVERS });
    bench.say(`creating ${count} streams`);
    await fillMany(world, count, bench);
    await bench.compare({
      work: `${count.toLocaleString("en")} streams with ${CONSUMERS.length} consumers each, ${SERVERS} servers`,
      baseline: { name: "a bare client", run: () => withServerCpu(world.servers, () => ask(world, count)) },
      others: [
        { name: "Relight", aim: { times: 2 }, run: () => withServerCpu(world.servers, () => verify(world, bench)) },
      ],
    });
  },
};

export async function fillMany(world: World, count: number, { signal }: Bench): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await jetstreamManager(connection, { timeout: TIMEOUT, checkAPI: false });
    // A server that has just started may not have the account yet, and learns of a stream a moment later than others.
    const made = (what: string, make: () => Promise<unknown>): Promise<unknown> => retry(`${what} to be made`, make);
    const create = async (index: number): Promise<void> => {
      const name = `STREAM_${index}`;
      const config = { name, subjects: [`stream.${index}.>`], storage: StorageType.File, allow_direct: true };
      await made(name, () => manager.streams.add(config));
      for (const durable_name of CONSUMERS) {
        const consumer = { durable_name, ack_policy: AckPolicy.Explicit };
        await made(durable_name, () => manager.consumers.add(name, consumer));
      }
    };
    await pMap(
      Array.from({ length: count }, (_, index) => index),
      create,
      { concurrency: AT_ONCE, signal },
    );
  } finally {
    await connection.close();
  }
}

interface Answer {
  readonly data?: { readonly account_details?: readonly { readonly stream_detail?: readonly unknown[] }[] };
}

async function ask(world: World, count: number): Promise<Sample> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  const connection = await world.connectAs("system");
  try {
    const account = world.accountId;
    const [held] = await Promise.all([
      answers(connection, "JSZ", { account, streams: true, consumer: true, config: true, raft: true }),
      answers(connection, "SUBSZ", { account, subscriptions: true, limit: ALL }),
      answers(connection, "CONNZ", { acc: account, limit: ALL }),
    ]);
    const streams = held.flatMap(({ data }) => data?.account_details ?? []).flatMap((each) => each.stream_detail ?? []);
    if (streams.length !== count) throw new Error(`the servers have ${streams.length} of ${count} streams`);
  } finally {
    await connection.close();
  }
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1_000_000 };
}

/** Every server's answer. */
async function answers(connection: NatsConnection, question: string, options: object): Promise<readonly Answer[]> {
  const found: Answer[] = [];
  const until = { strategy: "count", maxMessages: SERVERS, maxWait: TIMEOUT } as const;
  const subject = `$SYS.REQ.SERVER.PING.${question}`;
  for await (const reply of await connection.requestMany(subject, JSON.stringify(options), until))
    found.push(reply.json<Answer>());
  if (found.length < SERVERS) throw new Error(`${found.length} of ${SERVERS} servers answered ${subject}`);
  return found;
}

async function verify(world: World, bench: Bench): Promise<Sample> {
  const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "verify", "APP", "--json");
  const said = stdout.slice(0, 2_000) + stderr.slice(0, 2_000);
  if ((JSON.parse(stdout || "{}") as { verdict?: string }).verdict !== "healthy")
    throw new Error(`relight verify: ${said}`);
  return sample;
}
