import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { createAccount } from "@nats-io/nkeys";
import { nowSeconds, seedOf } from "../../lab/keys.ts";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, WITH_DEFECT } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import { looking } from "../../lib/usecases/observe/look.ts";
import { openWorldApp, runJobOn } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import type { Run } from "../support/relight.ts";
import { relight } from "../support/resident.ts";

/** No rung starts that cannot finish: its needs are checked before, and its losses stay findings. */

const LOW = { consumer: 1 };
const ALLOWED = "    allowMemoryLoss: true\n";

async function asApp<T>(world: World, work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await world.connectAs("app");
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}
type Connection = Awaited<ReturnType<World["connectAs"]>>;

async function brokenBelow(world: World, limits: object): Promise<void> {
  await world.push(world.sign(world.claims({ iat: nowSeconds() + 1, limits })));
  await expire(world, limits);
  await renewByHand(world, 3_600, limits);
}

/** The command in a refusal, as a person types it. */
async function typed(world: World, { json }: Run, rung: string): Promise<Run> {
  const why: string = json.rungs.find((one: { rung: string }) => one.rung === rung)?.why ?? "no such rung";
  const command = /`relight ([^`]+)`/.exec(why)?.[1];
  if (command === undefined) throw new Error(`no command is named: ${why}`);
  return relight(world, ...command.split(" "), "--json");
}

describe.each(sampleOf(["2.10.27"], WITH_DEFECT))("limits below current usage (nats-server %s, alone)", (version) => {
  test("the toggle is refused and nothing is lost; after the command in the refusal it heals", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    await fill(world);
    await brokenBelow(world, LOW);
    const before = await snapshot(world);
    const refused = await relight(world, "heal", "APP", "--json");
    expect(refused.json).toMatchObject({ outcome: "refused", verdict: "dead" });
    expect(refused.json.rungs[0]).toMatchObject({
      rung: "toggle-jetstream",
      result: "refused",
      why: expect.stringMatching(/number of consumers of one stream is 2 \(limit: 1\)/),
    });
    expect(refused.exit).toBe(2);
    expect(await snapshot(world)).toEqual(before);

    expect((await typed(world, refused, "toggle-jetstream")).json).toMatchObject({ outcome: "pushed" });
    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect(await snapshot(world)).toEqual(before);
    expect((await symptoms(world)).publish).toBe("ok");
  });
});

test("limits below current usage in a cluster: no replicas are added, nothing is lost, and names may have any letter", async () => {
  const { path: binary } = await serverBinary("2.10.27");
  await using world = await createWorld({ binary, size: 3 });
  await asApp(world, async (connection) => {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    await retry("a stream", () => manager.streams.add({ name: "日本", subjects: ["japan.*"] }), 110_000);
    for (const name of ["eins_ü", "two"])
      await manager.consumers.add("日本", { durable_name: name, ack_policy: AckPolicy.Explicit });
    await retry("a message to be stored", () => jetstream(connection).publish("japan.a", "first"));
  });
  await brokenBelow(world, LOW);
  const before = [await snapshot(world), await configurations(world)];
  const refused = await relight(world, "heal", "APP", "--json");
  expect(refused.json).toMatchObject({ outcome: "refused", verdict: "dead" });
  expect(refused.json.rungs).toContainEqual(
    expect.objectContaining({ rung: "scale-up", result: "refused", why: expect.stringContaining("日本") }),
  );
  expect([await snapshot(world), await configurations(world)]).toEqual(before);

  expect((await typed(world, refused, "scale-up")).json).toMatchObject({ outcome: "pushed" });
  const healed = await relight(world, "heal", "APP", "--json");
  expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect([await snapshot(world), await configurations(world)]).toEqual(before);
  expect((await relight(world, "verify", "APP")).stdout).toContain("2 consumers");
});

/** A memory stream that a mirror and a source on disk copy, all with names that Latin-1 lacks. */
async function fillNamed(world: World): Promise<void> {
  await asApp(world, async (connection) => {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    await manager.streams.add({ name: "Größe_1", subjects: ["sizes.*"], storage: StorageType.Memory });
    await manager.streams.add({ name: "日本", mirror: { name: "Größe_1" } });
    await manager.streams.add({ name: "Źródło", sources: [{ name: "Größe_1" }] });
    await manager.consumers.add("Größe_1", { durable_name: "leser_ü", ack_policy: AckPolicy.Explicit });
    await manager.consumers.add("Größe_1", {
      name: "kurz",
      ack_policy: AckPolicy.Explicit,
      inactive_threshold: 600_000_000_000,
    });
    for (let count = 0; count < 100; count++) await jetstream(connection).publish("sizes.a", "held");
    await copiesHold(connection, 100);
  });
}

async function copiesHold(connection: Connection, messages: number): Promise<void> {
  const manager = await jetstreamManager(connection);
  for (const name of ["日本", "Źródło"])
    await waitFor(
      `${name} to hold ${messages}`,
      async () => (await manager.streams.info(name)).state.messages === messages,
      { timeout: 30_000 },
    );
}

describe.each(sampleOf(["2.9.25"], WITH_DEFECT))("a memory stream with copies (nats-server %s)", (version) => {
  test("is recreated where it ended, so its copies continue; allowed losses are listed", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, yaml: ALLOWED });
    await fillNamed(world);
    await expire(world);
    await renewByHand(world);
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
    expect(json.losses).toEqual([
      "ephemeral consumer Größe_1 > kurz is gone",
      "memory stream Größe_1 lost its 100 messages",
    ]);
    expect(exit).toBe(0);
    await asApp(world, async (connection) => {
      const manager = await jetstreamManager(connection);
      expect((await manager.streams.info("Größe_1")).config.subjects).toEqual(["sizes.*"]);
      expect(await manager.consumers.info("Größe_1", "leser_ü")).toMatchObject({ name: "leser_ü" });
      for (let count = 0; count < 20; count++) await jetstream(connection).publish("sizes.b", "later");
      await copiesHold(connection, 120);
    });
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
  });
});

test("a mirror ahead of its recreated origin is found (nats-server 2.15.2)", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.15.2")).path });
  await fillNamed(world);
  await asApp(world, async (connection) => {
    const manager = await jetstreamManager(connection);
    await manager.streams.delete("Größe_1");
    await manager.streams.add({ name: "Größe_1", subjects: ["sizes.*"] });
    await jetstream(connection).publish("sizes.a", "first again");
  });
  // One look: a verdict would wait for half a minute, because some versions reset a mirror by themselves.
  await using app = await openWorldApp(world);
  const { verdict } = await looking(await app.context(), await app.findOffline(world.accountId))();
  expect(verdict.health).toBe("dead");
  expect(verdict.findings).toContainEqual(
    expect.objectContaining({ code: "stream.ahead_of_origin", subject: { server: "lab", stream: "日本" } }),
  );
});

test("a signing key whose template lacks a right: the toggle is refused before its first push", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, yaml: ALLOWED });
  await fill(world, { memory: true });
  const key = createAccount();
  const template = {
    subs: -1,
    data: -1,
    payload: -1,
    sub: { allow: [">"] },
    pub: { allow: [">"], deny: ["$JS.API.STREAM.CREATE.>"] },
  };
  const scoped = { kind: "user_scope", key: key.getPublicKey(), role: "relight", template };
  const claims = world.claims({ iat: nowSeconds() + 1 });
  const signingKeys = [...(claims.nats["signing_keys"] as string[]), scoped];
  const withScope = (more: object) =>
    world.sign({ ...claims, ...more, nats: { ...claims.nats, signing_keys: signingKeys } });
  await writeFile(`${world.home}/app.nk`, seedOf(key));
  await expire(world);
  await world.push(withScope({ exp: nowSeconds() + 3_600, iat: nowSeconds() + 1 }));
  await asApp(world, async (connection) => void (await connection.flush()));
  const before = await snapshot(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
  expect(json.rungs[0]).toMatchObject({
    rung: "toggle-jetstream",
    result: "refused",
    why: expect.stringContaining("may not request $JS.API.STREAM.CREATE.CACHE"),
  });
  expect(await snapshot(world)).toEqual(before);
});

test.each([
  ["a limit of no memory", { mem_storage: 0 }, /mem_storage: .* but the limit is 0; raise it/],
  ["a payload limit", { payload: 200 }, /STREAM\.CREATE\.BARE \(it needs \d+ bytes, but the payload limit is 200\)/],
])("%s that would prevent recreating a memory stream: the toggle is refused", async (_, limits, why) => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, yaml: ALLOWED });
  await asApp(world, async (connection) => {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    await manager.streams.add({ name: "BARE", subjects: ["bare.*"], storage: StorageType.Memory });
  });
  await brokenBelow(world, limits);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
  expect(json.rungs[0]).toMatchObject({
    rung: "toggle-jetstream",
    result: "refused",
    why: expect.stringMatching(why),
  });
  expect(Object.keys(await configurations(world))).toEqual(["BARE"]);
});

test("a loss is found although the job crashed, and stays a finding until a person acknowledges it", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  await fill(world);
  await expire(world);
  await renewByHand(world);
  const losesAndCrashes = ({ journal }: Context): Partial<Context> => {
    let isDead = false;
    const append: Context["journal"]["append"] = async (entry) => {
      if (isDead) throw new Error("the process died");
      await journal.append(entry);
      if (entry.kind !== "toggle.closed") return;
      await asApp(world, async (connection) => {
        await (await jetstreamManager(connection)).consumers.delete("ORDERS", "shipping");
      });
      isDead = true;
      throw new Error("the process died");
    };
    return { journal: { ...journal, append } };
  };
  await expect(runJobOn(world, "heal", losesAndCrashes)).rejects.toThrow("the process died");
  for (const command of ["heal", "verify"]) {
    const { json, exit } = await relight(world, command, "APP", "--json");
    expect({ exit, verdict: json.verdict }).toEqual({ exit: 2, verdict: "dead" });
    expect(json.findings).toMatchObject([{ code: "asset.lost", subject: { stream: "ORDERS", consumer: "shipping" } }]);
  }
  const nobody = await relight(world, "acknowledge", "APP", "ORDERS > audit", "--reason", "x", "--json");
  expect(nobody.json.error.code).toBe("usage");
  const order = ["acknowledge", "APP", "ORDERS > shipping", "--reason", "made anew elsewhere", "--by", "Ann"];
  const { json } = await relight(world, ...order, "--json");
  expect(json).toMatchObject({ by: "Ann", acknowledged: ["consumer ORDERS > shipping is gone"] });
  expect((await relight(world, "verify", "APP")).exit).toBe(0);
  const journal = await relight(world, "journal", "APP");
  expect(journal.stdout).toMatch(/loss\.acknowledged .*ORDERS > shipping, by Ann: made anew elsewhere/);
});
