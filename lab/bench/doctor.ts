import type { NatsConnection } from "@nats-io/transport-node";
import { serverBinary } from "../server-binaries.ts";
import { createWorld, type World } from "../world.ts";
import { accountsOf } from "./accounts.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
import { fillMany } from "./large.ts";
import { relight, withServerCpu } from "./processes.ts";

const VERSION = "2.10.27";
const SERVERS = 3;
const ACCOUNTS = 1_000;
const STREAMS = 1_000;
/** None of them is to be renewed. */
const LIVES = 86_400 * 80;
const TIMEOUT = 60_000;
/** More than any server has. */
const ALL = 1_000_000;

export const doctor: Benchmark = {
  name: "doctor",
  title: "Checking a cluster",
  about: `A cluster of ${SERVERS} servers has ${ACCOUNTS.toLocaleString("en")} accounts, each loaded on every server, and one more with ${STREAMS.toLocaleString("en")} streams as above.
**The bare client** asks every server at once for everything that it holds: its accounts (ACCOUNTZ), and all streams and
consumers with their configurations (JSZ); and one for all JWTs (\`$SYS.REQ.CLAIMS.PACK\`). It is timed from its connection to
the last answer. **Relight** is \`relight doctor --json\`, timed from the start of the process to its end: it also asks each
server about each account, because no answer about all of them has the claims that a server runs, and looks twice at what
a critical check is about. The round counts only if it says that every layer is healthy.`,
  servers: [VERSION],
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    const [accounts, streams] = [bench.scaled(ACCOUNTS), bench.scaled(STREAMS)];
    bench.say(`starting ${SERVERS} servers`);
    await using world = await createWorld({ binary, size: SERVERS, limit: accounts + 10 });
    const others = accountsOf(world, accounts);
    await pushAll(world, others.tokens(LIVES));
    await others.load(bench);
    bench.say(`creating ${streams} streams`);
    await fillMany(world, streams, bench);
    await bench.compare({
      work: `${accounts.toLocaleString("en")} accounts and ${streams.toLocaleString("en")} streams, ${SERVERS} servers`,
      baseline: { name: "a bare client", run: () => withServerCpu(world.servers, () => ask(world, accounts)) },
      others: [{ name: "Relight", run: () => withServerCpu(world.servers, () => diagnose(world, bench)) }],
    });
  },
};

async function pushAll(world: World, tokens: readonly { readonly token: string }[]): Promise<void> {
  const connection = await world.connectAs("system");
  try {
    for (const { token } of tokens) await answers(connection, "$SYS.REQ.CLAIMS.UPDATE", token);
  } finally {
    await connection.close();
  }
}

async function ask(world: World, accounts: number): Promise<Sample> {
  const [began, used] = [performance.now(), process.cpuUsage()];
  const connection = await world.connectAs("system");
  try {
    const everything = { accounts: true, streams: true, consumer: true, config: true, raft: true, limit: ALL };
    const [jwts] = await Promise.all([
      listed(connection),
      answers(connection, "$SYS.REQ.SERVER.PING.ACCOUNTZ", ""),
      answers(connection, "$SYS.REQ.SERVER.PING.JSZ", JSON.stringify(everything)),
    ]);
    // The world's own and the system account.
    if (jwts !== accounts + 2) throw new Error(`${jwts} of ${accounts + 2} JWTs arrived`);
  } finally {
    await connection.close();
  }
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1_000_000 };
}

/** Every server's answer, parsed. */
async function answers(connection: NatsConnection, subject: string, body: string): Promise<readonly object[]> {
  const found: object[] = [];
  const until = { strategy: "count", maxMessages: SERVERS, maxWait: TIMEOUT } as const;
  for await (const reply of await connection.requestMany(subject, body, until)) found.push(reply.json<object>());
  if (found.length < SERVERS) throw new Error(`${found.length} of ${SERVERS} servers answered ${subject}`);
  return found;
}

/** How many JWTs the resolver sends. */
async function listed(connection: NatsConnection): Promise<number> {
  let received = 0;
  const options = { strategy: "stall", maxWait: TIMEOUT, stall: TIMEOUT } as const;
  for await (const { data } of await connection.requestMany("$SYS.REQ.CLAIMS.PACK", "", options)) {
    if (data.length === 0) break;
    received += 1;
  }
  return received;
}

async function diagnose(world: World, bench: Bench): Promise<Sample> {
  const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "doctor", "--json");
  const { cluster } = JSON.parse(stdout || "{}") as { cluster?: { verdict: string } };
  if (cluster?.verdict !== "healthy") throw new Error(`relight doctor: ${(stdout + stderr).slice(0, 2_000)}`);
  return sample;
}
