import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { layAccounts } from "../../lab/many.ts";
import type { NatsServer } from "../../lab/nats-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { ListedJwt } from "../../lib/ports/resolver.ts";
import { openWorldApp } from "../support/context.ts";
import { paused } from "../support/paused.ts";
import { relight } from "../support/resident.ts";

jest.setTimeout(120_000);

/** A list of accounts is that of all servers, although only one sends it, and a list of fewer is never a whole one. */

const MANY = 300;
/** With the world's own and the system account. */
const ALL = MANY + 2;

/** Changes relight.yaml. */
async function edit({ home }: World, from: RegExp, to: string): Promise<void> {
  const file = join(home, "relight.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace(from, to));
}

function serverOf({ servers }: World, index: number): NatsServer {
  const server = servers[index];
  if (server === undefined) throw new Error(`there is no server ${index}`);
  return server;
}

/** Until each server knows the others. */
async function allTogether(world: World): Promise<void> {
  const system = await world.connectAs("system");
  try {
    await waitFor("the servers to find each other", async () => {
      const options = { strategy: "count", maxMessages: 3, maxWait: 2_000 } as const;
      const known: number[] = [];
      for await (const reply of await system.requestMany("$SYS.REQ.SERVER.PING.STATSZ", "", options))
        known.push(reply.json<{ statsz: { active_servers: number } }>().statsz.active_servers);
      return known.length === 3 && known.every((count) => count === 3);
    });
  } finally {
    await system.close();
  }
}

/** Relight connects to this server only. */
const viaServer = (world: World, index: number): Promise<void> =>
  edit(world, /servers: .*/, `servers: ["${serverOf(world, index).url}"]`);

/** @param during runs once the servers are known, before the list is asked for */
async function listed(world: World, during: () => void = () => undefined): Promise<readonly ListedJwt[]> {
  await using app = await openWorldApp(world);
  const { resolver } = await app.context();
  await resolver.lookup(world.accountId as AccountId);
  during();
  const all: ListedJwt[] = [];
  for await (const entry of resolver.list()) all.push(entry);
  return all;
}

const accountsIn = (entries: readonly ListedJwt[]): ReadonlySet<string> =>
  new Set(entries.flatMap((entry) => (entry.ok ? [entry.jwt.document.claims.sub] : [])));

describe("of three servers only the first has most accounts", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
    await edit(world, /cluster:/, "cluster:\n  timeout: 1s");
    // Its resolver gives them to the others within a minute. If their folders can't be written, it never does.
    await layAccounts(world, MANY);
    await allTogether(world);
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  test("and every list has them, once, whichever server sends it", async () => {
    for (const index of [0, 1, 2]) {
      await viaServer(world, index);
      const entries = await listed(world);
      const seen = { index, accounts: accountsIn(entries).size, entries: entries.length };
      expect(seen).toEqual({ index, accounts: ALL, entries: ALL });
    }
    const { json, exit } = await relight(world, "expiries", "--json");
    expect(exit).toBe(0);
    expect(json.expiries.filter(({ kind }: { kind: string }) => kind.endsWith("account"))).toHaveLength(ALL);
    const swept = await relight(world, "run", "--due", "--json");
    expect(swept.json).toMatchObject({ seen: ALL, unreadable: [] });
  });

  test("and one that falls silent and dies in the middle is named: others than the listed ones may exist", async () => {
    await viaServer(world, 0);
    const third = serverOf(world, 2);
    let killed: Promise<void> | undefined;
    using silence = new DisposableStack();
    const entries = await listed(world, () => {
      silence.use(paused({ ...world, server: third }));
      killed = sleep(200).then(() => third.kill());
    });
    await killed;
    expect(accountsIn(entries).size).toBe(ALL);
    expect(entries.filter(({ ok }) => !ok)).toMatchObject([{ account: "lab-3", of: "server" }]);
  });
});
