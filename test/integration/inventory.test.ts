import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { nowSeconds } from "../../lab/keys.ts";
import { fill, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** A known account can't vanish unnoticed: all commands know the same accounts. */

/** As usual: no account is configured, the resolver lists them. */
async function withoutAccounts({ home }: World): Promise<void> {
  const file = join(home, "relight.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace(/accounts:[\s\S]*$/, ""));
}

async function isListed(world: World): Promise<boolean> {
  const system = await world.connectAs("system");
  try {
    const reply = await system.request("$SYS.REQ.CLAIMS.LIST", "", { timeout: 2_000 });
    return reply.json<{ data: string[] }>().data.includes(world.accountId);
  } finally {
    await system.close();
  }
}

test("an expired account that neither the resolver nor the configuration has is known, reported and renewed", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.15.2")).path });
  await withoutAccounts(world);
  const billing = await anotherAccount(world, "BILLING");
  await fill(billing, { messages: 3 });
  await billing.push(billing.sign(billing.claims({ exp: nowSeconds() + 8, iat: nowSeconds() + 1 })));
  expect((await relight(world, "verify", "BILLING", "--json")).json).toMatchObject({ verdict: "healthy" });
  await waitFor("the resolver to delete the expired JWT", async () => !(await isListed(billing)), {
    timeout: 100_000,
    interval: 500,
  });
  const told = await relight(world, "doctor");
  expect(told.stdout).toContain("relight heal BILLING");

  const status = await relight(world, "status", "--json");
  const row = status.json.accounts.find(({ id }: { id: string }) => id === billing.accountId);
  expect(row).toMatchObject({ name: "BILLING", verdict: "dead", window: "expired" });
  expect(row.findings.map(({ code }: { code: string }) => code)).toEqual(["account.expired"]);
  expect(status.exit).toBe(2);
  const expiries = await relight(world, "expiries", "--json");
  expect(expiries.json.expiries[0]).toMatchObject({ what: "BILLING", severity: "critical" });
  expect((await relight(world, "verify", "BILLING", "--json")).json.findings[0].code).toBe("account.expired");
  expect((await relight(world, "journal", "BILLING", "--json")).json.entries.length).toBeGreaterThan(0);

  const run = await relight(world, "run", "--due", "--json");
  const result = run.json.results.find(({ account }: { account: string }) => account === billing.accountId);
  expect(result).toMatchObject({ outcome: "healed", rungs: [{ rung: "renew", result: "helped" }] });
  await retry("BILLING to work", async () => expect((await symptoms(billing)).publish).toBe("ok"));
});
