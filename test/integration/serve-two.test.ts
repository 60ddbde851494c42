import { DatabaseSync } from "node:sqlite";
import { expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { startServe } from "../support/serve.ts";

/** Two `relight serve` over one journal and one cluster. */

const { path: binary } = await serverBinary("2.10.27");
const ACCOUNTS = 12;
const DAY = 86_400;

interface Row {
  readonly account: string;
  readonly job: string;
  readonly kind: string;
  readonly data: string;
}

function journalOf({ home }: World): readonly Row[] {
  const database = new DatabaseSync(`${home}/relight.sqlite`, { readOnly: true, timeout: 5_000 });
  try {
    return database.prepare("SELECT account, job, kind, data FROM journal ORDER BY seq").all() as unknown as Row[];
  } finally {
    database.close();
  }
}

/** Pushes accounts whose renewal is due. Returns their ids. */
async function pushDue(world: World): Promise<readonly string[]> {
  const connection = await world.connectAs("system");
  const keys = Array.from({ length: ACCOUNTS }, () => createAccount());
  for (const [index, key] of keys.entries()) {
    const claims = accountClaims(`DUE-${index}`, key, world.accountSigningKey, UNLIMITED);
    const token = world.sign({ ...claims, iat: nowSeconds() - 89 * DAY, exp: nowSeconds() + DAY });
    await connection.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 10_000 });
  }
  await connection.close();
  return keys.map((key) => key.getPublicKey());
}

test("each account is renewed once and healed once, by one of them, and no two jobs overlap", async () => {
  await using world = await createWorld({ binary });
  await fill(world, { messages: 5 });
  await expire(world);
  await renewByHand(world);
  const due = await pushDue(world);
  const both = await Promise.all([startServe(world), startServe(world)]);
  await using first = both[0];
  await using second = both[1];
  // The first may have renewed everything before the second looks.
  for (const serve of [first, second]) await serve.until("its first sweep", ({ what }) => what === "sweep", 120_000);
  const kindOf = (kind: string, account: string) =>
    journalOf(world).filter((row) => row.kind === kind && row.account === account);
  const isDone = () => due.every((account) => kindOf("push.proved", account).length > 0);
  await waitFor("the renewals", isDone, { timeout: 120_000 });
  const isHealed = () => kindOf("rung.finished", world.accountId).some(({ data }) => /"helped"/.test(data));
  await waitFor("the heal", isHealed, { timeout: 120_000 });
  expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  // Both end what they do; then nothing is left to come.
  expect([await first.stop("SIGTERM"), await second.stop("SIGTERM")]).toEqual([0, 0]);

  for (const account of due)
    expect({ account, pushes: kindOf("push.started", account).length }).toEqual({ account, pushes: 1 });
  const tried = kindOf("rung.started", world.accountId).map(({ data }) => JSON.parse(data).rung);
  expect(tried).toEqual([...new Set(tried)]);
  for (const account of [...due, world.accountId]) expect(overlapsOf(account)).toEqual([]);

  /** Entries of a job between the beginning and the end of another one. */
  function overlapsOf(account: string): readonly Row[] {
    let running: string | undefined;
    return journalOf(world)
      .filter((row) => row.account === account)
      .filter(({ kind, job }) => {
        if (kind === "job.started") running = job;
        const isOther = running !== undefined && job !== running && kind !== "account.deleted";
        if (kind === "job.finished" && job === running) running = undefined;
        return isOther;
      });
  }
});
