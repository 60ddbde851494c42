import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { accountClaims, UNLIMITED } from "../claims.ts";
import { named, nodeKey, signFast, unusedAccountId } from "../fast-keys.ts";
import { nowSeconds } from "../keys.ts";
import { serverBinary } from "../server-binaries.ts";
import { createWorld, type World } from "../world.ts";
import type { Benchmark } from "./frame.ts";
import { listContestants, received } from "./listing.ts";
import { replaying } from "./replay.ts";

const VERSION = "2.10.27";
/** As fast as a server that has the machine for itself. */
const PER_SECOND = 14_000;
const AIM = { megabytes: 150 };
const COUNTS = [10_000, 100_000, 1_000_000] as const;

export const million: Benchmark = {
  name: "million",
  title: "Listing a million accounts",
  about: `As above, but the server's answer to \`$SYS.REQ.CLAIMS.PACK\` is recorded: a program between the clients and a server
answers that question from a file with ${COUNTS.map((count) => count.toLocaleString("en")).join(", ")} JWTs, each signed by the operator, and passes on
everything else. It sends as fast as a server that reads a file for each account: ${PER_SECOND.toLocaleString("en")} a second. What counts is that
time is linear, and how memory grows.`,
  servers: [VERSION],
  onlyIfNamed: true,
  run: async (bench) => {
    const { path: binary } = await serverBinary(VERSION, bench.say);
    const counts = COUNTS.map((count) => bench.scaled(count));
    await using world = await createWorld({ binary, yaml: "sweep: { atMostWaiting: 1 }\n" });
    const file = join(world.home, "answers");
    bench.say(`recording ${counts.at(-1)} JWTs`);
    await record(world, file, Math.max(...counts));
    const config = await readFile(join(world.home, "relight.yaml"), "utf8");
    for (const count of counts) {
      await using replay = await replaying(world.server.url, { file, count, perSecond: PER_SECOND });
      await writeFile(join(world.home, "relight.yaml"), config.replaceAll(world.server.url, replay.url));
      await bench.compare({
        work: `${count.toLocaleString("en")} accounts, recorded`,
        ...listContestants(bench, world, { url: replay.url, count, aim: AIM }),
      });
    }
  },
};

/** What the server itself answers, and as much more of the same kind as is needed. */
async function record(world: World, file: string, count: number): Promise<void> {
  const key = nodeKey(world.operator);
  const issuer = world.operator.getPublicKey();
  const signingKey = named(world.accountSigningKey.getPublicKey());
  const out = createWriteStream(file);
  const own: string[] = [];
  await received(world, world.server.url, (line) => own.push(line));
  for (let index = 0; index < count; index++) {
    const id = unusedAccountId();
    const claims = accountClaims(`MANY-${index}`, named(id), signingKey, UNLIMITED);
    const head = { jti: crypto.randomUUID(), iat: nowSeconds(), iss: issuer };
    const line = own[index] ?? `${id}|${signFast(JSON.stringify({ ...head, ...claims }), key)}`;
    if (!out.write(`${line}\n`)) await once(out, "drain");
  }
  out.end();
  await once(out, "close");
}
