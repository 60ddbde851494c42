import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { accountClaims, JETSTREAM, operatorClaims, UNLIMITED } from "../../lab/claims.ts";
import { seedOf, signClaims } from "../../lab/keys.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { planRotation } from "../../lib/usecases/orders/plan-rotation.ts";
import { rotate } from "../../lib/usecases/orders/rotate-key.ts";
import { openWorldApp } from "../support/context.ts";
import { jobDependencies } from "../support/job-dependencies.ts";
import { endLeases } from "../support/leases.ts";
import { relight, startRelight } from "../support/relight.ts";

/** Accounts change from one operator signing key to another on real servers that require signing keys. */

let world: World;
let next: KeyPair;
afterEach(async () => await world[Symbol.asyncDispose]());

/** A world whose accounts the old key signed, while the new one is trusted and Relight signs with it. */
async function openWorld({ version = "2.10.27", more = 5, trusted = true } = {}): Promise<void> {
  next = createOperator();
  const signingKeys = trusted ? [next.getPublicKey()] : [];
  const { path: binary } = await serverBinary(version);
  world = await createWorld({ binary, strict: true, lives: 3_600, signingKeys });
  await writeFile(`${world.home}/operator.nk`, seedOf(next));
  for (let count = 1; count <= more; count++) await addAccount(`EXTRA${count}`);
}

async function addAccount(name: string): Promise<void> {
  const key = createAccount();
  const claims = accountClaims(name, key, world.accountSigningKey, { ...UNLIMITED, ...JETSTREAM });
  const token = signClaims(claims, world.operatorSigningKey);
  await asSystem(async (request) => {
    await request("$SYS.REQ.CLAIMS.UPDATE", token);
    const look = `$SYS.REQ.ACCOUNT.${key.getPublicKey()}.CLAIMS.LOOKUP`;
    await waitFor(`${name} to be in the resolver`, async () => (await request(look, "")) === token);
  });
}

async function asSystem<T>(work: (request: (subject: string, body: string) => Promise<string>) => Promise<T>) {
  const connection = await world.connectAs("system");
  try {
    return await work(async (subject, body) => (await connection.request(subject, body, { timeout: 2_000 })).string());
  } finally {
    await connection.close();
  }
}

/** The signer of each account's JWT in the resolver, by the account's name. */
async function issuers(): Promise<Record<string, "old" | "new" | "other">> {
  return asSystem(async (request) => {
    const { data } = JSON.parse(await request("$SYS.REQ.CLAIMS.LIST", "")) as { data: string[] };
    const found: Record<string, "old" | "new" | "other"> = {};
    for (const id of data) {
      const token = await request(`$SYS.REQ.ACCOUNT.${id}.CLAIMS.LOOKUP`, "");
      const { name, iss } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
      const isOld = iss === world.operatorSigningKey.getPublicKey();
      found[name] = iss === next.getPublicKey() ? "new" : isOld ? "old" : "other";
    }
    return found;
  });
}

const args = (...more: string[]): string[] => [
  ...["rotate-key", "--from", world.operatorSigningKey.getPublicKey(), "--to", next.getPublicKey()],
  ...[...more, "--json"],
];
const countOf = (found: Record<string, string>, issuer: string): number =>
  Object.values(found).filter((it) => it === issuer).length;

describe("relight rotate-key", () => {
  test("plans, survives a kill, continues where it stopped, and releases the old key only when possible", async () => {
    await openWorld();
    const plan = await relight(world, ...args("--wave", "2"));
    expect(plan.exit).toBe(1);
    expect(plan.json).toMatchObject({ state: "planned", problems: [], leftOut: [{ name: "SYS" }] });
    const named = plan.json.waves.map((wave: { name: string }[]) => wave.map(({ name }) => name));
    expect(named).toEqual([
      ["APP", "EXTRA1"],
      ["EXTRA2", "EXTRA3"],
      ["EXTRA4", "EXTRA5"],
    ]);
    expect(countOf(await issuers(), "old")).toBe(7);

    const child = startRelight(world, ...args("--wave", "2", "--yes"));
    for await (const line of createInterface({ input: child.stderr }))
      if (line === "wave 2 of 3: EXTRA3") child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    expect(child.signalCode).toBe("SIGKILL");
    const midway = await issuers();
    expect(midway).toMatchObject({ APP: "new", EXTRA1: "new", EXTRA2: "new", EXTRA4: "old", SYS: "old" });

    // If it was killed during a job.
    endLeases(world);
    const again = await relight(world, ...args("--wave", "2", "--yes"));
    expect(again.json).toMatchObject({ state: "finished", left: 0 });
    expect(again.exit).toBe(0);
    const done = again.json.accounts.map(({ name }: { name: string }) => name);
    expect(done).not.toContain("EXTRA1");
    expect(done).toContain("EXTRA5");
    expect(countOf(await issuers(), "new")).toBe(6);

    const inUse = await relight(world, ...args("--retire"));
    expect(inUse.json).toMatchObject({ state: "in-use", todo: [] });
    expect(inUse.json.holders).toMatchObject([{ name: "SYS", stored: true, runningOn: ["lab"] }]);
    expect(inUse.exit).toBe(1);

    const system = await relight(world, ...args("--yes", "--include-system"));
    expect(system.json).toMatchObject({ state: "finished", accounts: [{ name: "SYS", result: "rotated" }] });
    const free = await relight(world, ...args("--retire"));
    expect(free.json).toMatchObject({ state: "retirable", holders: [] });
    expect(free.json.todo).toContain(`nsc edit operator --rm-sk ${world.operatorSigningKey.getPublicKey()}`);
    expect(free.exit).toBe(0);

    const { json } = await relight(world, "journal", "--limit", "2000", "--json");
    const kinds = json.entries
      .map(({ kind }: { kind: string }) => kind)
      .filter((kind: string) => kind.startsWith("rotation."));
    expect(kinds.filter((kind: string) => kind === "rotation.finished").length).toBeGreaterThanOrEqual(2);
    expect(kinds[0]).toBe("rotation.started");
    const starts = json.entries.filter(({ kind }: { kind: string }) => kind === "rotation.started");
    expect(starts[1].data.resumes).toBe(starts[0].job);
    const { correlation } = system.json;
    const { json: story } = await relight(world, "journal", "--correlation", correlation, "--json");
    const told = story.entries.map(({ kind }: { kind: string }) => kind);
    expect(told).toEqual(expect.arrayContaining(["rotation.started", "job.started", "rotation.finished"]));
    expect(JSON.stringify(json)).not.toMatch(/eyJ[\w-]+\.eyJ|SO[A-Z2-7]{56}/);
  });

  test("a first Ctrl-C lets the current account finish and leaves the others unchanged", async () => {
    await openWorld({ version: "2.15.2", more: 2 });
    const child = startRelight(world, ...args("--yes"));
    let stdout = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    for await (const line of createInterface({ input: child.stderr })) if (line.includes(": APP")) child.kill("SIGINT");
    if (child.exitCode === null) await once(child, "exit");
    expect(JSON.parse(stdout)).toMatchObject({ state: "interrupted", accounts: [{ name: "APP" }], left: 2 });
    expect(child.exitCode).toBe(3);
    expect(await issuers()).toEqual({ APP: "new", EXTRA1: "old", EXTRA2: "old", SYS: "old" });
  });

  test("stops at the account whose JetStream dies in its wave, and leaves the later ones", async () => {
    await openWorld({ more: 1 });
    await fill(world, { messages: 3 });
    await using app = await openWorldApp(world);
    const context = await app.context();
    const { journal } = context;
    const order = {
      from: world.operatorSigningKey.getPublicKey(),
      to: next.getPublicKey(),
      wave: 1,
      includeSystem: true,
      configured: app.configured,
      onProgress: () => undefined,
    };
    const plan = await planRotation(context, order);
    expect(plan.waves.map((wave) => wave.map(({ name }) => name))).toEqual([["EXTRA1"], ["APP"], ["SYS"]]);
    const dying: typeof journal = {
      ...journal,
      append: async (entry) => {
        await journal.append(entry);
        if (entry.kind !== "rotation.account" || entry.data["name"] !== "APP") return;
        await expire(world);
        await renewByHand(world);
      },
    };
    const rotation = await rotate(jobDependencies({ ...context, journal: dying }), order, plan);
    expect(rotation).toMatchObject({ state: "stopped", left: 1 });
    expect(rotation.why).toMatch(
      /^APP was healthy after it was signed with the new key, but is dead at the end of its wave/,
    );
    expect((await issuers())["SYS"]).toBe("old");
  });

  test.each(["2.9.25", "2.15.2"])(
    "a server %s that does not trust the new key yet stops it, with advice",
    async (version) => {
      await openWorld({ version, more: 0, trusted: false });
      const untrusted = await relight(world, ...args("--yes"));
      expect(untrusted.json.error).toMatchObject({ code: "signer.untrusted_key" });

      const claims = operatorClaims(world, true, [next.getPublicKey()]);
      await writeFile(`${world.home}/operator.jwt`, signClaims(claims, world.operator));
      const { exit, json } = await relight(world, ...args("--yes"));
      expect(json).toMatchObject({
        state: "blocked",
        problems: [`lab does not trust ${next.getPublicKey()}`],
      });
      expect(json.todo.join("\n")).toMatch(/Restart the servers one at a time/);
      expect(exit).toBe(2);
      expect((await issuers())["APP"]).toBe("old");
    },
  );

  test("an unknown key is not called unused", async () => {
    await openWorld({ more: 0 });
    const stranger = createOperator().getPublicKey();
    const keys = ["--from", stranger, "--to", next.getPublicKey()];
    const { exit, json } = await relight(world, "rotate-key", ...keys, "--retire", "--json");
    expect(json.state).toBe("blocked");
    expect(json.problems).toContain(`lab does not trust ${stranger}`);
    expect(exit).toBe(2);
  });

  test("the old key as the configured one, or equal keys, stop it", async () => {
    await openWorld({ more: 0 });
    const same = await relight(
      world,
      "rotate-key",
      "--from",
      next.getPublicKey(),
      "--to",
      next.getPublicKey(),
      "--json",
    );
    expect(same.json).toMatchObject({ state: "blocked", problems: ["the old and the new key are the same"] });
    await writeFile(`${world.home}/operator.nk`, seedOf(world.operatorSigningKey));
    const { json } = await relight(world, ...args("--yes"));
    expect(json.problems.join()).toMatch(/operator\.signingKey is O\w+, not the new key/);
    expect((await issuers())["APP"]).toBe("old");
  });
});
