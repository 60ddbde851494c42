import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { looking, lookOnce } from "../../../lib/usecases/observe/look.ts";
import { lookBriefly } from "../../../lib/usecases/observe/look-twice.ts";
import { virtualKey } from "../../support/virtual/keys.ts";
import { expire, fill, renewByHand } from "../../support/virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/** A look that counts, its entries in the journal, and the incidents it resolves. */

function newWorld(settings: WorldSettings = {}): VirtualWorld {
  const world = virtualWorld({ servers: 3, version: "2.10.27", ...settings });
  fill(world, { replicas: 3, memory: true });
  return world;
}
const of = ({ journal }: VirtualWorld, kind: string) => journal.entries.filter((entry) => entry.kind === kind);
const codes = ({ verdict }: Awaited<ReturnType<VirtualWorld["run"]>>) => verdict.findings.map(({ code }) => code);
const orders = ({ machines }: VirtualWorld) => machines.streamsOf(APP.id).get("ORDERS");

describe("a fault", () => {
  test("counts only if it outlasts an election", async () => {
    const world = newWorld();
    orders(world)?.group.stepDown();
    expect((await lookOnce(world.newContext(), APP.id)).verdict.health).toBe("unknown");
    orders(world)?.group.stepDown();
    const began = world.now();
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy", findings: [] } });
    expect(world.now() - began).toBeGreaterThan(600);
  });

  test("counts if it lasts", async () => {
    const world = newWorld();
    orders(world)?.group.deaf.add(String(orders(world)?.group.leader));
    const began = world.now();
    expect(codes(await world.run("verify"))).toEqual(["stream.deaf"]);
    expect(world.now() - began).toBeGreaterThanOrEqual(1_000);
  });

  test("of a lost leader is awaited, until another one leads", async () => {
    const world = newWorld();
    world.machines.deleteAsset(APP.id, { stream: "CACHE" });
    world.machines.timing.leaderGone = 9_000;
    world.machines.kill("n1");
    const done = await world.run("verify");
    expect(codes(done)).not.toContain("stream.no_leader");
    expect(new Set(codes(done))).toContain("stream.replica_away");
  });

  test("of an asset being created is awaited as long as it is young", async () => {
    const world = newWorld();
    const made = world.machines.addStream(APP.id, { name: "NEW", subjects: ["n"], num_replicas: 3 });
    made.group.deaf.add(String(made.group.leader));
    world.machines.timeline.after(6_000, () => made.group.deaf.clear());
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy" } });
  });

  test("of an expiry counts at once", async () => {
    const world = newWorld({ version: "2.15.1" });
    expire(world);
    const began = world.now();
    expect(codes(await world.run("verify"))).toEqual(["account.expired"]);
    expect(world.now() - began).toBeLessThan(500);
  });

  test("of a mirror is awaited longer than a mirror takes to reconnect", async () => {
    const world = newWorld();
    const mirror = { name: "COPY", mirror: { name: "ORDERS" }, num_replicas: 1 };
    world.machines.addStream(APP.id, mirror);
    world.advance(60_000);
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy" } });
    orders(world)?.group.stepDown();
    world.advance(1_000);
    expect((await lookBriefly(world.newContext(), APP.id)).verdict.findings).toMatchObject([
      { code: "stream.stalled" },
    ]);
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy", findings: [] } });
  });
});

describe("a change during the checks", () => {
  test("is awaited again: a mirror after its origin", async () => {
    const world = newWorld();
    world.machines.addStream(APP.id, { name: "COPY", mirror: { name: "ORDERS" } });
    world.advance(60_000);
    await world.run("verify");
    orders(world)?.group.deaf.add(String(orders(world)?.group.leader));
    world.machines.timeline.after(500, () => orders(world)?.group.stepDown());
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy", findings: [] } });
  });

  test("is no loss if only one look misses it", async () => {
    const world = newWorld({ version: "2.15.1" });
    await world.run("verify");
    const { messages, lastSeq } = orders(world) ?? { messages: 0, lastSeq: 0 };
    Object.assign(orders(world) ?? {}, { messages: 0, lastSeq: 0 });
    world.machines.timeline.after(300, () => Object.assign(orders(world) ?? {}, { messages, lastSeq }));
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy" } });
    expect(of(world, "loss.found")).toEqual([]);
  });

  test("is no loss if only the first look misses it", async () => {
    const world = newWorld({ version: "2.15.1" });
    await world.run("verify");
    const again = looking(world.newContext(), APP.id);
    expect((await again()).verdict.findings).toEqual([]);
    Object.assign(orders(world) ?? {}, { messages: 0, lastSeq: 0 });
    const second = await again();
    expect({ lost: second.lost, findings: second.verdict.findings }).toEqual({ lost: [], findings: [] });
  });
});

describe("the journal after a look", () => {
  test("has the verdict each time, and observations only when they are new", async () => {
    const world = newWorld();
    for (let looks = 0; looks < 3; looks++) await world.run("verify");
    const counts = ["verdict", "claims.seen", "streams.seen", "memory.seen"].map((kind) => of(world, kind).length);
    expect(counts).toEqual([3, 1, 1, 1]);
    expect(of(world, "memory.seen")[0]?.data["memory"]).toMatchObject([{ stream: "CACHE" }]);
    world.machines.addStream(APP.id, { name: "NEW", subjects: ["n"], storage: "memory" });
    world.machines.force(world.issue(APP, { exp: toSeconds(world.now()) + 99 * 86_400 }));
    world.advance(60_000);
    await world.run("verify");
    const more = ["claims.seen", "streams.seen", "memory.seen"].map((kind) => of(world, kind).length);
    expect(more).toEqual([2, 2, 2]);
  });

  test("has no memory entry if nothing is in memory", async () => {
    const world = virtualWorld({ servers: 3 });
    fill(world, { replicas: 3 });
    await world.run("verify");
    expect(of(world, "memory.seen")).toEqual([]);
  });

  test("removes memory assets once nothing is in memory", async () => {
    const world = newWorld();
    await world.run("verify");
    world.machines.deleteAsset(APP.id, { stream: "CACHE" });
    await world.run("verify");
    expect(of(world, "memory.seen").at(-1)).toMatchObject({ data: { memory: [] } });
  });

  test("has no baseline from an unhealthy account", async () => {
    const world = newWorld();
    expire(world);
    renewByHand(world);
    await world.run("verify");
    expect([of(world, "streams.seen"), of(world, "memory.seen")]).toEqual([[], []]);
    expect(of(world, "claims.seen")).toHaveLength(1);
  });

  test("never has claims as seen in force that nobody trusted signed", async () => {
    const world = newWorld({ accounts: [] });
    const forged = world.issue(APP, {}, virtualKey("operator", "another"));
    world.machines.store(world.context.codec.decode(forged));
    await world.run("verify", { account: APP.id });
    expect(of(world, "claims.seen")).toEqual([]);
  });

  test("reports once what was reset since the account was last healthy", async () => {
    const world = newWorld({ version: "2.15.1" });
    await world.run("verify");
    orders(world)?.lose();
    for (let looks = 0; looks < 2; looks++) {
      const done = await world.run("verify");
      expect(codes(done)).toEqual(["asset.lost", "asset.lost"]);
      expect(done.verdict.health).toBe("degraded");
    }
    expect(of(world, "loss.found")).toHaveLength(1);
    expect(of(world, "loss.found")[0]?.data["losses"]).toMatchObject([
      { stream: "ORDERS", kind: "messages" },
      { stream: "ORDERS", consumer: "shipping", kind: "position" },
    ]);
  });

  test("records a deletion, once", async () => {
    const world = newWorld({ version: "2.15.1" });
    await world.run("verify");
    world.machines.deleteAccount(APP.id);
    for (let looks = 0; looks < 2; looks++) expect(codes(await world.run("verify"))).toEqual(["account.deleted"]);
    expect(of(world, "account.deleted")).toMatchObject([{ data: { how: "seen" } }]);
  });

  test("is unchanged by a look that records nothing", async () => {
    const world = newWorld();
    await lookBriefly(world.newContext(), APP.id);
    expect(world.journal.entries).toEqual([]);
  });
});

describe("a page", () => {
  test("about a dead account is resolved by the next healthy look, and by no other", async () => {
    const world = newWorld({ hasAccountKeys: false });
    expire(world);
    renewByHand(world);
    await world.run("heal");
    expect(world.incidents.map(({ status }) => status)).toEqual(["open"]);
    await world.run("verify");
    expect(world.incidents).toHaveLength(1);
    for (const stream of world.machines.streamsOf(APP.id).values())
      for (const group of stream.groups) group.deaf.clear();
    await world.run("verify");
    expect(world.incidents.map(({ status }) => status)).toEqual(["open", "resolved"]);
  });
});

test("an account with an unreadable key is checked without it", async () => {
  const world = newWorld({ version: "2.15.1" });
  const secrets = { read: () => Promise.reject(new Error("gone")) };
  await expect(world.run("verify", {}, { secrets })).rejects.toThrow("gone");
  const other = newWorld({ version: "2.15.1" });
  other.settingsById.set(APP.id, { id: APP.id, signingKey: "file:elsewhere" });
  const done = await other.run("verify");
  expect(done.verdict).toMatchObject({ health: "unknown", depth: "system" });
  expect(done.verdict.findings[0]?.message).toMatch(/file:elsewhere is not there/);
});

describe("an account's key that was rotated since an earlier run read it", () => {
  const OLD = virtualKey("account", "an old signing key").seed;
  /** Keeps the old key until it is refused. */
  function keeping(world: VirtualWorld) {
    const { secrets } = world.newContext();
    let isKept = true;
    let renewals = 0;
    const read = async (reference: string): Promise<string> => (isKept ? OLD : secrets.read(reference));
    const renew = (): boolean => {
      renewals += 1;
      const was = isKept;
      isKept = false;
      return was;
    };
    return { secrets: { read, renew }, renewals: () => renewals };
  }

  test("is read again when servers refuse it, within the same look", async () => {
    const world = newWorld();
    const { secrets, renewals } = keeping(world);
    const { verdict } = await lookOnce(world.newContext({ secrets }), APP.id);
    expect(verdict).toMatchObject({ health: "healthy", depth: "account" });
    expect(renewals()).toBe(1);
  });

  test("is not asked for again if it is the current one", async () => {
    const world = newWorld();
    const read = async (): Promise<string> => OLD;
    const secrets = { read, renew: () => false };
    const seen = await lookOnce(world.newContext({ secrets }), APP.id);
    expect(seen.observation.accountView).toMatchObject({ ok: false, code: "nats.unauthorized" });
    expect(seen.verdict.health).not.toBe("healthy");
  });
});
