import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { nowSeconds, signClaims } from "../../lab/keys.ts";
import { accountStates } from "../../lab/pushes.ts";
import { deleteAccount, fill, orderDeletion, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { runJobOn } from "../support/context.ts";
import { type Run, relight, startRelight } from "../support/relight.ts";
import { startWatch } from "../support/watch.ts";

/** Only a person restores what a person deleted on purpose. */

const DAYS = 86_400;
const codes = ({ json }: Run): string[] => (json.findings ?? []).map(({ code }: { code: string }) => code);

/** An account with streams and a long lifetime, which was healthy, and is deleted. */
async function deletedWorld(version: string, yaml = ""): Promise<World> {
  const { path: binary } = await serverBinary(version);
  const world = await createWorld({ binary, lives: 80 * DAYS, yaml });
  try {
    await fill(world, { messages: 5 });
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({ verdict: "healthy" });
    await deleteAccount(world);
    return world;
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

/** Its clients stay out, and the resolver lacks it. */
async function expectGone(world: World): Promise<void> {
  await expect(world.connectAs("app")).rejects.toThrow();
  const system = await world.connectAs("system");
  const held = await system
    .request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`, "", { timeout: 500 })
    .then((reply) => reply.string())
    .catch(() => "");
  await system.close();
  expect(held).toBe("");
}

async function pagesOf(world: World): Promise<readonly Record<string, string>[]> {
  const { json } = await relight(world, "journal", "APP", "--json");
  return json.entries
    .filter(({ kind }: { kind: string }) => kind === "incident.opened")
    .map(({ data }: { data: object }) => data);
}

test.concurrent.each(["2.9.25", "2.15.2"])(
  "on %s no sweep and no remedy restores it, nor after a restart",
  async (version) => {
    await using world = await deletedWorld(version);
    const { json, exit } = await relight(world, "run", "--json");
    expect(exit).toBe(2);
    const app = json.results.find(({ account }: { account: string }) => account === world.accountId);
    expect(codes({ json: app } as Run)).toEqual(["account.deleted"]);
    expect((await relight(world, "heal", "APP")).exit).toBe(2);
    await expectGone(world);
    await world.server.stop();
    await world.server.start();
    expect(codes(await relight(world, "heal", "APP", "--json"))).toEqual(["account.deleted"]);
    await expectGone(world);
  },
);

test.concurrent("no command pushes it; its remains are reported once; a person restores it", async () => {
  await using world = await deletedWorld("2.10.27");
  const verified = await relight(world, "verify", "APP", "--json");
  expect(codes(verified)).toEqual(["account.deleted"]);
  expect(verified.exit).toBe(2);
  expect(verified.json.findings[0].message).toMatch(/ORDERS on lab/);

  for (const args of [["run"], ["heal", "APP"], ["renew", "APP"]]) {
    const { exit } = await relight(world, ...args, "--json");
    expect(exit).toBe(2);
    await expectGone(world);
  }
  await writeFile(
    join(world.home, "new.jwt"),
    world.sign(world.claims({ exp: nowSeconds() + 80 * DAYS, iat: nowSeconds() + 1 })),
  );
  const pushed = await relight(world, "push", "new.jwt", "--json");
  expect(pushed.json.error.code).toBe("account.deleted");
  const limits = ["jetstream", "limits", "APP", "--storage", "2GiB", "--yes", "--json"];
  expect((await relight(world, ...limits)).json.error.code).toBe("account.deleted");
  await expectGone(world);

  const { json: plan } = await relight(world, "plan", "--json");
  const planned = plan.plans.find(({ name }: { name: string }) => name === "APP");
  expect(planned.steps.map((step: { do: string }) => step.do)).toEqual(["escalate"]);
  expect(planned.renewal.decision).toBe("withdrawn");
  const { json: expiries } = await relight(world, "expiries", "--json");
  expect(expiries.expiries.map(({ what }: { what: string }) => what)).not.toContain("APP");
  const pages = await pagesOf(world);
  expect(new Set(pages.map(({ failureClass }) => failureClass))).toEqual(new Set(["account_deleted"]));

  // No server knows it after a restart; a JWT that is still valid is no reason to push it.
  await world.server.stop();
  await world.server.start();
  expect(codes(await relight(world, "verify", "APP", "--json"))).toEqual(["account.deleted"]);
  expect((await relight(world, "run", "--json")).exit).toBe(2);
  await expectGone(world);

  const back = await relight(world, "push", "new.jwt", "--undelete", "--json");
  expect(back.json).toMatchObject({ outcome: "pushed" });
  await retry("the account to work", async () => expect((await symptoms(world)).publish).toBe("ok"));
  expect((await relight(world, "verify", "APP", "--json")).json.verdict).toBe("healthy");
});

describe("a deleted account", () => {
  test.concurrent("is not pushed by a webhook, whatever its options", async () => {
    await using world = await deletedWorld("2.10.27");
    const token = world.sign(world.claims({ exp: nowSeconds() + 80 * DAYS, iat: nowSeconds() + 2 }));
    await expect(
      runJobOn(world, "push", undefined, { token, trigger: "webhook", undelete: true }),
    ).rejects.toMatchObject({
      code: "account.deleted",
    });
    await expectGone(world);
  });

  test.concurrent("a deletion during watch is recorded at once; a request that servers ignore is a note", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.15.2")).path });
    await world.push(world.sign(world.claims({ exp: nowSeconds() + 80 * DAYS, iat: nowSeconds() + 1 })));
    await relight(world, "verify", "APP", "--json");
    const watching = startRelight(world, "watch", "--sweep-every", "1h", "--json");
    try {
      const lines: string[] = [];
      watching.stdout.on("data", (chunk) => lines.push(String(chunk)));
      await waitFor("the first sweep", () => lines.join("").includes('"what":"sweep"'));
      // A request that servers ignore is a note.
      const system = await world.connectAs("system");
      const nats = { accounts: [world.accountId], type: "generic", version: 2 };
      const forged = signClaims({ sub: world.account.getPublicKey(), nats }, world.account);
      system.publish("$SYS.REQ.CLAIMS.DELETE", forged);
      await waitFor("the note", () => lines.join("").includes("but servers ignore this request"));
      await system.close();
      await deleteAccount(world);
      await waitFor(
        "the deletion to be told",
        () => lines.join("").includes("account.deleted") || /"outcome":"unhealed"/.test(lines.join("")),
      );
    } finally {
      watching.kill("SIGTERM");
    }
    const { json } = await relight(world, "journal", "APP", "--json");
    const hows = json.entries
      .filter(({ kind }: { kind: string }) => kind === "account.deleted")
      .map(({ data }: { data: { how: string } }) => data.how);
    expect(hows[0]).toBe("ordered");
  });

  test.concurrent("and forgotten is no longer shown, and still not pushed", async () => {
    await using world = await deletedWorld("2.15.2");
    expect((await relight(world, "forget", "APP", "--reason", "x", "--json")).json.forgotten).toBe(world.accountId);
    const config = join(world.home, "relight.yaml");
    await writeFile(config, (await readFile(config, "utf8")).replace(/accounts:[\s\S]*$/, ""));
    const { json } = await relight(world, "status", "--json");
    expect(json.accounts.map(({ id }: { id: string }) => id)).not.toContain(world.accountId);
    expect((await relight(world, "renew", world.accountId, "--json")).json.error.code).toBe("account.deleted");
    await expectGone(world);
  });
});

test.concurrent("a server that was away restores a deleted account: a page, and no push", async () => {
  await using world = await createWorld({
    binary: (await serverBinary("2.10.27")).path,
    size: 3,
    lives: 80 * DAYS,
  });
  await fill(world, { messages: 5, replicas: 3 });
  await relight(world, "verify", "APP", "--json");
  const [, , third] = world.servers;
  await third?.stop();
  await deleteAccount(world, 2);
  const before = await relight(world, "verify", "APP", "--json");
  expect(codes(before)).toEqual(["account.deleted"]);
  await third?.start();
  const system = await retry("a server to talk to", () => world.connectAs("system"));
  await waitFor("the deleted JWT to run again", async () =>
    (await accountStates(system, world)).some(({ expired }) => expired === false),
  );
  await system.close();
  const after = await relight(world, "run", "--json");
  expect(after.exit).toBe(2);
  const app = after.json.results.find(({ account }: { account: string }) => account === world.accountId);
  expect(app.findings.map(({ code }: { code: string }) => code)).toEqual(["account.deleted"]);
  expect(app.findings[0].message).toMatch(/its deleted JWT is back on .*lab-3/);
  expect(app.pushed).toBeUndefined();
});

test.concurrent("a deletion that servers refuse is a finding and a page that say so, and a person decides", async () => {
  const { path: binary } = await serverBinary("2.10.27");
  await using world = await createWorld({ binary, lives: 80 * DAYS, deletes: () => false });
  await relight(world, "verify", "APP", "--json");
  await using watch = await startWatch(world, "--sweep-every", "1h");
  // As `nsc push -R APP` and `nsc delete account APP; nsc push -P` do; both end with this error.
  expect(await orderDeletion(world)).toEqual([expect.stringContaining("delete must be enabled in server config")]);
  const job = await watch.until("the job", ({ what, reason }) => what === "job" && reason.includes("deletion"));
  const told = expect.stringMatching(
    /^the operator ordered its deletion .*, but the resolver, lab still have it: .*allow_delete: false/,
  );
  expect(job).toMatchObject({ verdict: "degraded", findings: [{ code: "account.not_deleted", message: told }] });
  await watch.stop();
  expect((await relight(world, "status")).stdout).toContain("the operator ordered its deletion");
  expect(await pagesOf(world)).toMatchObject([{ failureClass: "degraded", summary: told }]);
  // It is in force, and stays so.
  expect((await relight(world, "renew", "APP", "--json")).json).toMatchObject({ verdict: "degraded" });
  expect((await relight(world, "renew", "APP", "--undelete", "--json")).json).toMatchObject({ verdict: "healthy" });
});

test.concurrent("a server that can't delete gives the account back: it is named, and nothing is pushed", async () => {
  const { path: binary } = await serverBinary("2.10.27");
  const deletes = (index: number): boolean => index < 2;
  await using world = await createWorld({ binary, size: 3, lives: 80 * DAYS, deletes });
  await fill(world, { messages: 5, replicas: 3 });
  await relight(world, "verify", "APP", "--json");
  expect((await orderDeletion(world, 3)).filter((refusal) => refusal === undefined)).toHaveLength(2);
  const { json, exit } = await relight(world, "run", "--json");
  expect(exit).toBe(2);
  const app = json.results.find(({ account }: { account: string }) => account === world.accountId);
  expect(app.pushed).toBeUndefined();
  expect(app.findings).toMatchObject([
    { code: "account.deleted", message: expect.stringMatching(/is back on .*lab-3.*could not delete it/) },
  ]);
  const [page] = await pagesOf(world);
  expect(JSON.stringify(page)).toContain("allow_delete: false");
  const diff = await relight(world, "diff", "APP", "--json");
  expect(diff.exit).toBe(2);
  expect(diff.json.accounts).toMatchObject([
    { state: "missing", notes: [expect.stringContaining("somebody deleted it")] },
  ]);
});
