import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { serverBinary } from "../server-binaries.ts";
import { createWorld, type World } from "../world.ts";
import { type Accounts, accountsOf, type Token } from "./accounts.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
import { relight, withServerCpu } from "./processes.ts";

const VERSION = "2.10.27";
const ACCOUNTS = 1_000;
const SERVERS = 3;
const DAY = 86_400;
/** The lab's policy renews thirty days before an expiry, for ninety days. */
const DUE = 10 * DAY;
const AT_LEAST = 89 * DAY;
/** How many accounts a bare client works on at once. */
const AT_ONCE = 64;
const TIMEOUT = 30_000;
const JOURNAL = "bench.sqlite";

export const renewal: Benchmark = {
  name: "renewal",
  title: "Renewing many accounts",
  about: `A cluster of ${SERVERS} servers with a full resolver has ${ACCOUNTS} accounts that are due, each loaded on every server, with JetStream and
without streams. **The bare client** has the new JWTs ready, pushes them, and asks every server for the JWT that it then
runs, ${AT_ONCE} accounts at once over one connection; it is timed from its connection to the last answer. **Relight** is
\`relight run\`, timed from the start of the process to its end: it lists the accounts, checks each of them, decides, signs,
passes the gate, journals every step on disk before the next (in a new journal each time), pushes, proves the push on
every server and in the resolver, and verifies. A third party then asks every server again, and the round counts only if
all run the new JWTs.`,
  servers: [VERSION],
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    const count = bench.scaled(ACCOUNTS);
    bench.say(`starting ${SERVERS} servers`);
    await using world = await createWorld({
      binary,
      size: SERVERS,
      limit: count + 10,
      yaml: `journal: sqlite:${JOURNAL}\n`,
    });
    const accounts = accountsOf(world, count);
    await push(world, accounts, DUE, bench);
    await accounts.load(bench);
    await bench.compare({
      work: `${count.toLocaleString("en")} accounts, ${SERVERS} servers`,
      baseline: {
        name: "a bare client",
        // Its JWTs are due again, for Relight.
        run: () => withServerCpu(world.servers, () => push(world, accounts, DUE, bench)),
      },
      others: [
        {
          name: "Relight",
          aim: { times: 8 },
          run: () => withServerCpu(world.servers, () => renew(world, accounts, bench)),
        },
      ],
    });
  },
};

/** Pushes new JWTs as a bare client does, and looks what every server runs. */
async function push(world: World, accounts: Accounts, lives: number, { signal }: Bench): Promise<Sample> {
  const tokens = accounts.tokens(lives);
  const [began, used] = [performance.now(), process.cpuUsage()];
  const connection = await world.connectAs("system");
  try {
    await pMap(tokens, (token) => pushOne(connection, token), { concurrency: AT_ONCE, signal });
  } finally {
    await connection.close();
  }
  const { user, system } = process.cpuUsage(used);
  return { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1_000_000 };
}

async function pushOne(connection: NatsConnection, { account, token }: Token): Promise<void> {
  const replies = await answers<{ data?: { code?: number } }>(connection, "$SYS.REQ.CLAIMS.UPDATE", token);
  if (replies.some(({ data }) => data?.code !== 200)) throw new Error(`a server refused the JWT of ${account}`);
  for (const { jwt } of await runningOn(connection, account))
    if (jwt !== undefined && jwt !== token) throw new Error(`a server does not run the JWT of ${account}`);
}

interface Running {
  readonly jwt?: string;
}

/** What each server runs of the account; nothing where it is not loaded. */
async function runningOn(connection: NatsConnection, account: string): Promise<readonly Running[]> {
  const all = await answers<{ data?: Running | null }>(connection, `$SYS.REQ.ACCOUNT.${account}.INFO`, "");
  return all.map(({ data }) => data ?? {});
}

/** The answers of all servers. */
async function answers<T>(connection: NatsConnection, subject: string, body: string): Promise<readonly T[]> {
  const found: T[] = [];
  const options = { strategy: "count", maxMessages: SERVERS, maxWait: TIMEOUT } as const;
  for await (const reply of await connection.requestMany(subject, body, options)) found.push(reply.json<T>());
  if (found.length < SERVERS) throw new Error(`${found.length} of ${SERVERS} servers answered ${subject}`);
  return found;
}

/** What `relight run --json` prints, as far as it matters here. */
interface Report {
  readonly results: readonly { readonly account: string; readonly outcome: string }[];
  readonly failures: readonly unknown[];
}

async function renew(world: World, accounts: Accounts, bench: Bench): Promise<Sample> {
  const earliest = Date.now() / 1000 + AT_LEAST;
  // Else it would notice that the bare client undid its last renewals, and look more closely.
  for (const end of ["", "-wal", "-shm"]) await rm(join(world.home, `${JOURNAL}${end}`), { force: true });
  const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "run", "--json");
  const { results, failures } = readReport(stdout, stderr);
  const own = results.filter(({ account }) => accounts.ids.includes(account));
  const others = own.filter(({ outcome }) => outcome !== "renewed");
  if (own.length !== accounts.ids.length || others.length > 0 || failures.length > 0) {
    const [first] = [...failures, ...others];
    const count = own.length - others.length;
    throw new Error(`Relight renewed ${count} of ${accounts.ids.length}: ${JSON.stringify(first).slice(0, 2_000)}`);
  }
  await assertRenewed(world, accounts, earliest, bench);
  return sample;
}

function readReport(stdout: string, stderr: string): Report {
  try {
    return JSON.parse(stdout) as Report;
  } catch {
    throw new Error(`relight run: ${stdout.slice(0, 2_000)}${stderr.slice(0, 2_000)}`);
  }
}

async function assertRenewed(world: World, { ids }: Accounts, earliest: number, { signal }: Bench): Promise<void> {
  const connection = await world.connectAs("system");
  try {
    const check = async (account: string): Promise<void> => {
      for (const { jwt } of await runningOn(connection, account))
        if (jwt === undefined || expiryOf(jwt) < earliest) throw new Error(`${account} is not renewed on every server`);
    };
    await pMap(ids, check, { concurrency: AT_ONCE, signal });
  } finally {
    await connection.close();
  }
}

/** Seconds since 1970. */
function expiryOf(token: string): number {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return (JSON.parse(payload) as { exp?: number }).exp ?? 0;
}
