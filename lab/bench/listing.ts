import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { layAccounts } from "../many.ts";
import { serverBinary } from "../server-binaries.ts";
import { createWorld, type World } from "../world.ts";
import type { Aim, Bench, Benchmark, Comparison, Sample } from "./frame.ts";
import { relight, withServerCpu } from "./processes.ts";

const VERSION = "2.10.27";
const COUNTS = [10_000, 100_000] as const;
/** The memory is flat: the same for any number of accounts. */
const AIM = { times: 2, megabytes: 150 };
/** A list may pause while its server reads files; milliseconds. */
const STALL = 60_000;

export const listing: Benchmark = {
  name: "listing",
  title: "Listing many accounts",
  about: `One server has a full resolver with ${COUNTS.map((count) => count.toLocaleString("en")).join(", then ")} accounts that no client uses. **The bare client** asks for all JWTs
(\`$SYS.REQ.CLAIMS.PACK\`) and drops them. The server reads one file after the other, which takes most of its time.
**Relight** reads the same, verifies the signature of each JWT, checks it as strictly as a server, asks which accounts the
servers have loaded, and judges: \`relight expiries --json\` prints when each account expires, and \`relight run --due\`
decides for each account whether to check it now, with its last job in the journal (one check is then made). Both are
timed from the start of the process to its end, and their largest memory is measured.`,
  servers: [VERSION],
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    for (const count of COUNTS.map((each) => bench.scaled(each))) {
      bench.say(`laying ${count} accounts`);
      const yaml = "sweep: { atMostWaiting: 1 }\n";
      await using world = await createWorld({ binary, limit: count + 10, yaml });
      await layAccounts(world, count);
      await compareAt(bench, world, count);
    }
  },
};

async function compareAt(bench: Bench, world: World, count: number): Promise<void> {
  // With the world's own and the system account.
  const contestants = listContestants(bench, world, { url: world.server.url, count: count + 2 });
  await bench.compare({ work: `${count.toLocaleString("en")} accounts, one server`, ...contestants });
}

/** Those that list `count` accounts at this address. */
export function listContestants(
  bench: Bench,
  world: World,
  { url, count, aim = AIM }: { readonly url: string; readonly count: number; readonly aim?: Aim },
): Pick<Comparison, "baseline" | "others"> {
  const measured = (work: () => Promise<Sample>) => () => withServerCpu(world.servers, work);
  return {
    baseline: { name: "a bare client", run: measured(() => transfer(world, url, count)) },
    others: [
      {
        name: "`relight expiries --json`",
        aim,
        run: measured(async () => {
          const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "expiries", "--json");
          const { expiries } = parsed<{ expiries: readonly { kind: string }[] }>(stdout, stderr);
          const listed = expiries.filter(({ kind }) => kind === "account" || kind === "system-account").length;
          if (listed !== count) throw new Error(`it listed ${listed} of ${count} accounts`);
          return sample;
        }),
      },
      {
        name: "`relight run --due`",
        aim,
        run: measured(async () => {
          const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "run", "--due", "--json");
          const { seen } = parsed<{ seen: number }>(stdout, stderr);
          if (seen !== count) throw new Error(`it saw ${seen} of ${count} accounts`);
          return sample;
        }),
      },
    ],
  };
}

/** In a process of its own it would also load Node and the client, which is no part of the work. */
async function transfer(world: World, url: string, expected: number): Promise<Sample> {
  const began = performance.now();
  const count = await received(world, url);
  if (count !== expected) throw new Error(`${count} of ${expected} JWTs arrived`);
  return { seconds: (performance.now() - began) / 1000 };
}

/** How many JWTs a resolver at this address sends. */
export async function received(
  { home }: World,
  url: string,
  take: (line: string) => void = () => undefined,
): Promise<number> {
  const authenticator = credsAuthenticator(await readFile(join(home, "sys.creds")));
  const connection = await connect({ servers: url, reconnect: false, authenticator });
  let count = 0;
  try {
    const options = { strategy: "stall", maxWait: STALL, stall: STALL } as const;
    for await (const reply of await connection.requestMany("$SYS.REQ.CLAIMS.PACK", "", options)) {
      if (reply.data.length === 0) break;
      take(reply.string());
      count += 1;
    }
  } finally {
    await connection.close();
  }
  return count;
}

function parsed<T>(stdout: string, stderr: string): T {
  try {
    return JSON.parse(stdout) as T;
  } catch {
    throw new Error(`no JSON: ${stdout.slice(0, 2_000)}${stderr.slice(0, 2_000)}`);
  }
}
