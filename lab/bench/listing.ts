import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { layAccounts } from "../many.ts";
import { serverBinary } from "../server-binaries.ts";
import { createWorld, type World } from "../world.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
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
  // The world's own and the system account.
  const all = count + 2;
  await bench.compare({
    work: `${count.toLocaleString("en")} accounts, one server`,
    baseline: {
      name: "a bare client",
      run: () => withServerCpu(world.servers, () => transfer(world, all)),
    },
    others: [
      {
        name: "`relight expiries --json`",
        aim: AIM,
        run: () =>
          withServerCpu(world.servers, async () => {
            const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "expiries", "--json");
            const { expiries } = parsed<{ expiries: readonly { kind: string }[] }>(stdout, stderr);
            const listed = expiries.filter(({ kind }) => kind === "account" || kind === "system-account").length;
            if (listed !== all) throw new Error(`it listed ${listed} of ${all} accounts`);
            return sample;
          }),
      },
      {
        name: "`relight run --due`",
        aim: AIM,
        run: () =>
          withServerCpu(world.servers, async () => {
            const { stdout, stderr, exit: _, ...sample } = await relight(bench, world.home, "run", "--due", "--json");
            const { seen } = parsed<{ seen: number }>(stdout, stderr);
            if (seen !== all) throw new Error(`it saw ${seen} of ${all} accounts`);
            return sample;
          }),
      },
    ],
  });
}

/** In a process of its own it would also load Node and the client, which is no part of the work. */
async function transfer({ home, server }: World, expected: number): Promise<Sample> {
  const authenticator = credsAuthenticator(await readFile(join(home, "sys.creds")));
  const began = performance.now();
  const connection = await connect({ servers: server.url, reconnect: false, authenticator });
  let received = 0;
  try {
    const options = { strategy: "stall", maxWait: STALL, stall: STALL } as const;
    for await (const { data } of await connection.requestMany("$SYS.REQ.CLAIMS.PACK", "", options)) {
      if (data.length === 0) break;
      received += 1;
    }
  } finally {
    await connection.close();
  }
  if (received !== expected) throw new Error(`${received} of ${expected} JWTs arrived`);
  return { seconds: (performance.now() - began) / 1000 };
}

function parsed<T>(stdout: string, stderr: string): T {
  try {
    return JSON.parse(stdout) as T;
  } catch {
    throw new Error(`no JSON: ${stdout.slice(0, 2_000)}${stderr.slice(0, 2_000)}`);
  }
}
