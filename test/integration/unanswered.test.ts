import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import type { NatsConnection } from "@nats-io/transport-node";
import { layAccounts } from "../../lab/many.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { openWorldApp } from "../support/context.ts";
import { paused } from "../support/paused.ts";

/** Which requests are sent, how often, and what happens to one that nobody answers in time. */

const { path: binary } = await serverBinary("2.10.27");
const MANY = 120;

/**
 * How often somebody asked on a subject; each minute a resolver asks others for what it lacks, and reports what it has.
 */
async function counting(system: NatsConnection, ...subjects: readonly string[]) {
  const counts = new Map<string, number>();
  for (const subject of subjects)
    system.subscribe(subject, {
      callback: (_error, { data }) => {
        if (data.length === 0) counts.set(subject, (counts.get(subject) ?? 0) + 1);
      },
    });
  await system.flush();
  return (subject: string): number => counts.get(subject) ?? 0;
}

test("a run asks all servers once, and a server that is silent for two seconds makes no account unknown", async () => {
  await using world = await createWorld({ binary });
  await layAccounts(world, MANY);
  const system = await world.connectAs("system");
  const asked = await counting(
    system,
    "$SYS.REQ.CLAIMS.LIST",
    "$SYS.REQ.CLAIMS.PACK",
    "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP",
  );
  await using app = await openWorldApp(world);
  await app.context();

  const sweep = app.sweep("manual", "a test", "everything");
  await waitFor("accounts to be looked at", async () => asked("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP") > 20);
  {
    using _silence = paused(world);
    await sleep(2_000);
  }
  const { seen, results, failures } = await sweep;

  expect({ seen, failures }).toEqual({ seen: MANY + 2, failures: [] });
  expect(results.filter(({ verdict }) => verdict.health === "unknown")).toEqual([]);
  expect(await app.journal.read({ kinds: ["incident.opened"] })).toEqual([]);
  expect(asked("$SYS.REQ.CLAIMS.LIST")).toBe(0);
  expect(asked("$SYS.REQ.CLAIMS.PACK")).toBe(1);
  await system.close();
}, 300_000);

/** 2.9.10 is silent about accounts that it lacks, and only the complete list shows that. 2.9.25 answers. */
test.each([
  ["2.9.10", 1],
  ["2.9.25", 0],
  ["2.10.27", 0],
])(
  "absent accounts of the resolver of %s are recognized with this many lists: %d",
  async (version, lists) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    const system = await world.connectAs("system");
    const asked = await counting(system, "$SYS.REQ.CLAIMS.LIST");
    await using app = await openWorldApp(world);
    const { resolver } = await app.context();
    for (let index = 0; index < 3; index++) {
      const account = createAccount().getPublicKey() as AccountId;
      expect(await resolver.lookup(account)).toBeUndefined();
    }
    const own = await resolver.lookup(world.accountId as AccountId);
    expect(own?.document.claims.name).toBe("APP");
    expect(asked("$SYS.REQ.CLAIMS.LIST")).toBe(lists);
    await system.close();
  },
  60_000,
);

test("a list that ends with the connection says so, and is no bug", async () => {
  await using world = await createWorld({ binary });
  await using app = await openWorldApp(world);
  const { resolver } = await app.context();
  using _silence = paused(world);
  const first = resolver.list()[Symbol.asyncIterator]().next();
  const lost = expect(first).rejects.toMatchObject({ code: "nats.connection_lost" });
  await world.server.kill();
  await lost;
}, 60_000);
