import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "@jest/globals";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import { runJobOn } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { endLeases } from "../support/leases.ts";
import { relight, startRelight } from "../support/relight.ts";

/** A remedy that stops midway: the next run finishes it, and nothing is lost. */

const { path: binary } = await serverBinary("2.10.27");

async function brokenWorld(): Promise<World> {
  const world = await createWorld({ binary });
  await fill(world);
  await expire(world);
  await renewByHand(world);
  return world;
}

/** The rows in the journal's file, read beside the process that writes it. */
async function kindsOf({ home }: World): Promise<readonly string[]> {
  if (!existsSync(`${home}/relight.sqlite`)) return [];
  const database = new DatabaseSync(`${home}/relight.sqlite`, { readOnly: true, timeout: 1_000 });
  try {
    return database
      .prepare("SELECT kind FROM journal ORDER BY seq")
      .all()
      .map(({ kind }) => String(kind));
  } catch {
    return [];
  } finally {
    database.close();
  }
}

/** A process that crashes right after its journal accepted the `count`th entry, which is safe. */
const diesAfterEntry =
  (count: number) =>
  ({ journal }: Context): Partial<Context> => {
    let left = count;
    const append: Context["journal"]["append"] = async (entry) => {
      if (left === 0) throw new Error("the process died");
      await journal.append(entry);
      left -= 1;
      if (left === 0) throw new Error("the process died");
    };
    return { journal: { ...journal, append } };
  };

/**
 * A heal that something stops. On a single server there are no elections: damage stays, and there is no need to wait
 * for the streams' age of ten seconds.
 */
const healUntil = (world: World, change: (context: Context) => Partial<Context>) =>
  runJobOn(world, "heal", change, { timing: { young: millis(2_000) } });

const WORKS = { apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" };
/**
 * A heal writes 13 entries: job.started, verdict, claims.seen, rung.started, toggle.opened, push.started and
 * push.proved twice, toggle.closed, and the end. Some tests run at once, because each waits for an account to expire.
 */
const GROUPS = sampleOf(
  // Opened and nothing pushed; off and not proved; off; on, and not closed.
  [[5, 6, 7, 9]],
  [
    [1, 2, 3, 4],
    [5, 6, 7, 8, 9],
    [10, 11, 12, 13],
  ],
);

async function dieAndResume(count: number): Promise<void> {
  await using world = await brokenWorld();
  const before = await snapshot(world);
  await expect(healUntil(world, diesAfterEntry(count))).rejects.toThrow("the process died");
  const { json, exit } = await relight(world, "heal", "APP", "--json");
  const end = { count, exit, verdict: json.verdict, findings: json.findings };
  expect(end).toEqual({ count, exit: 0, verdict: "healthy", findings: [] });
  expect(await snapshot(world)).toEqual(before);
  expect(await symptoms(world)).toEqual(WORKS);
}

describe("a heal that crashes", () => {
  test.each(GROUPS)("after entry %j of its journal is finished by the next one, without a loss", async (...counts) => {
    await Promise.all(counts.map(dieAndResume));
  });

  test("between off and on leaves an account that verify calls dead, instead of one without JetStream", async () => {
    await using world = await brokenWorld();
    // job.started, verdict, claims.seen, rung.started, toggle.opened, push.started, push.proved
    await expect(healUntil(world, diesAfterEntry(7))).rejects.toThrow("the process died");
    // A mode that may not heal finishes nothing, and reports what was left.
    const file = `${world.home}/relight.yaml`;
    const yaml = await readFile(file, "utf8");
    await writeFile(file, `${yaml}readOnly: true\n`);
    const left = await relight(world, "heal", "APP", "--json");
    expect(left).toMatchObject({ exit: 2, json: { outcome: "looked", verdict: "dead" } });
    const refused = { rung: "finish-toggle", result: "refused", why: expect.stringContaining("readOnly") };
    expect(left.json.rungs).toContainEqual(expect.objectContaining(refused));
    await writeFile(file, yaml);
    const { json, exit } = await relight(world, "verify", "APP", "--json");
    // Even verify finishes what was begun: leaving the account without JetStream would be worse.
    expect({ exit, verdict: json.verdict }).toEqual({ exit: 0, verdict: "healthy" });
  });
});

test("claims that contain another JWT (an import's activation token) are restored to the byte", async () => {
  await using world = await brokenWorld();
  const token = world.sign(world.claims());
  const claims = world.claims({ iat: nowSeconds() + 5 });
  await world.push(world.sign({ ...claims, nats: { ...claims.nats, x_activation: token } }));
  await expect(healUntil(world, diesAfterEntry(7))).rejects.toThrow("the process died");
  expect((await relight(world, "heal", "APP")).exit).toBe(0);
  const system = await world.connectAs("system");
  const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`);
  await system.close();
  expect(Buffer.from(reply.string().split(".")[1] ?? "", "base64url").toString()).toContain(token);
  // Not shown to people.
  expect((await relight(world, "journal", "APP", "--json")).stdout).not.toContain(token);
});

test("a server that stops midway: a clear error, exit 3, and the next heal finishes the job", async () => {
  await using world = await brokenWorld();
  const before = await snapshot(world);
  const stopsServer = ({ resolver }: Context): Partial<Context> => ({
    resolver: {
      ...resolver,
      push: async (token) => {
        const replies = await resolver.push(token);
        await world.server.kill();
        return replies;
      },
    },
  });
  await expect(healUntil(world, stopsServer)).rejects.toMatchObject({
    code: "nats.connection_lost",
    exitCode: 3,
  });

  const unreachable = await relight(world, "heal", "APP", "--json");
  expect(unreachable.json.error).toMatchObject({ code: "nats.unreachable" });
  expect(unreachable.exit).toBe(3);

  await world.server.start();
  const { json, exit } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy" });
  expect(exit).toBe(0);
  expect(await snapshot(world)).toEqual(before);
  expect(await symptoms(world)).toEqual(WORKS);
});

test("a push that fails midway: the same job restores JetStream", async () => {
  await using world = await brokenWorld();
  const before = await snapshot(world);
  const failsOnce = ({ resolver }: Context): Partial<Context> => {
    let isFirst = true;
    const push: Context["resolver"]["push"] = async (token) => {
      const replies = await resolver.push(token);
      if (!isFirst) return replies;
      isFirst = false;
      throw new RelightError("nats.timeout", "a server did not answer");
    };
    return { resolver: { ...resolver, push } };
  };
  await expect(healUntil(world, failsOnce)).rejects.toMatchObject({ code: "nats.timeout" });
  expect((await kindsOf(world)).filter((kind) => kind.startsWith("toggle."))).toEqual([
    "toggle.opened",
    "toggle.closed",
  ]);
  expect(await snapshot(world)).toEqual(before);
  expect(await symptoms(world)).toEqual(WORKS);
});

test("Ctrl-C finishes the running step: no toggle is left open", async () => {
  await using world = await brokenWorld();
  const before = await snapshot(world);
  const heal = startRelight(world, "heal", "APP", "--json");
  await waitFor("the heal to open its toggle", async () => (await kindsOf(world)).includes("toggle.opened"), {
    interval: 5,
  });
  heal.kill("SIGINT");
  await once(heal, "close");
  expect(await kindsOf(world)).toContain("toggle.closed");
  expect((await relight(world, "verify", "APP")).exit).toBe(0);
  expect(await snapshot(world)).toEqual(before);
});

test("SIGKILL midway: once the crashed job's lease has expired, the next heal finishes it", async () => {
  await using world = await brokenWorld();
  const before = await snapshot(world);
  const heal = startRelight(world, "heal", "APP", "--json");
  await waitFor("the heal to open its toggle", async () => (await kindsOf(world)).includes("toggle.opened"), {
    interval: 1,
  });
  heal.kill("SIGKILL");
  await once(heal, "close");
  expect((await relight(world, "heal", "APP", "--json")).json.error).toMatchObject({ code: "account.busy" });
  endLeases(world);
  const next = await relight(world, "heal", "APP", "--json");
  expect(next.json).toMatchObject({ verdict: "healthy" });
  expect(await snapshot(world)).toEqual(before);
  expect(await symptoms(world)).toEqual(WORKS);
});

test("two heals at once: one works, the other reports a busy account, and nothing is pushed twice", async () => {
  await using world = await brokenWorld();
  const [first, second] = await Promise.all([
    relight(world, "heal", "APP", "--json"),
    relight(world, "heal", "APP", "--json"),
  ]);
  const outcomes = [first, second].map(({ json }) => json.outcome ?? json.error.code).sort();
  expect([
    ["account.busy", "healed"],
    ["healed", "healthy"],
  ]).toContainEqual(outcomes);
  const { json } = await relight(world, "journal", "APP", "--json");
  const pushes = json.entries.filter(({ kind }: { kind: string }) => kind === "push.started");
  expect(pushes).toHaveLength(2);
});
