import { expect, test } from "@jest/globals";
import { createAccount, type KeyPair } from "@nats-io/nkeys";
import pMap from "p-map";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { openWorldApp } from "../support/context.ts";

/** Sweeps over a real resolver with a few hundred accounts, with the journal in SQLite. */

const { path: binary } = await serverBinary("2.10.27");
const MANY = 200;
/** Includes the world's own and the system account. */
const ALL = MANY + 2;
/** So many of them were checked before. */
const KNOWN = 180;

type Push = (key: KeyPair, index: number) => Promise<unknown>;

/** Pushes as `nsc push` does, all over one connection. */
async function withPush(world: World, use: (push: Push) => Promise<unknown>): Promise<void> {
  const connection = await world.connectAs("system");
  try {
    await use((key, index) => {
      const claims = accountClaims(`MANY-${index}`, key, world.accountSigningKey, UNLIMITED);
      return connection.request("$SYS.REQ.CLAIMS.UPDATE", world.sign(claims), { timeout: 10_000 });
    });
  } finally {
    await connection.close();
  }
}

/** A healthy look's entries in the journal. */
async function seenBefore(world: World, keys: readonly KeyPair[]): Promise<void> {
  await using app = await openWorldApp(world);
  const { resolver, clock } = await app.context();
  const wanted = new Set(keys.map((key) => key.getPublicKey()));
  for await (const entry of resolver.list()) {
    if (!entry.ok || !wanted.has(entry.jwt.document.claims.sub)) continue;
    const { sub: account, jti } = entry.jwt.document.claims;
    const data = { outcome: "healthy", verdict: "healthy", jti, verifiedAt: clock.now() };
    await app.journal.append({ at: clock.now(), job: "before", account, kind: "job.finished", data });
  }
}

/** A sweep as scheduled, on its own connection. */
async function sweepOnce(world: World) {
  await using app = await openWorldApp(world);
  return await app.sweep("schedule", "a test");
}

test("sweeps queue what is due, a limited number at a time, until each account was checked once", async () => {
  const yaml = "sweep: { verifyEvery: 1h, atMostWaiting: 20 }\n";
  await using world = await createWorld({ binary, yaml });
  const keys = Array.from({ length: MANY }, () => createAccount());
  await withPush(world, (push) => pMap(keys, push, { concurrency: 8 }));

  // Checked already, according to the journal; really checking each would take minutes.
  await seenBefore(world, keys.slice(0, KNOWN));

  const looked = new Set<string>();
  for (const queued of [20, ALL - KNOWN - 20, 0]) {
    const report = await sweepOnce(world);
    expect(report).toMatchObject({ seen: ALL, queued, unreadable: [], failures: [], pastPage: 0 });
    expect(report.results.map(({ verdict }) => verdict.health)).toEqual(Array(queued).fill("healthy"));
    for (const { account } of report.results) {
      expect(looked).not.toContain(account);
      looked.add(account);
    }
    expect(report.postponed).toBe(ALL - KNOWN - looked.size);
  }
  expect(looked.size).toBe(ALL - KNOWN);

  const [changed] = keys;
  if (changed === undefined) throw new Error("there is no account");
  await withPush(world, (push) => push(changed, 0));
  const after = await sweepOnce(world);
  expect(after).toMatchObject({ queued: 1, queuedBy: { changed: 1 } });
  expect(after.results.map(({ account }) => account)).toEqual([changed.getPublicKey()]);
});
