import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import { expire, fill, leftBehind, renewByHand, snapshot } from "../../support/virtual/scenes.ts";
import {
  APP,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/** JetStream is removed from an account's claims and restored, whatever goes wrong in between. */

async function deafWorld(settings: WorldSettings = {}, memory = false): Promise<VirtualWorld> {
  const world = virtualWorld({ version: "2.10.27", allowMemoryLoss: memory, ...settings });
  fill(world, { memory });
  await world.run();
  expire(world);
  renewByHand(world);
  return world;
}
const claims = ({ machines }: VirtualWorld) => machines.stored(APP.id)?.document.claims;
const of = ({ journal }: VirtualWorld, kind: string) => journal.entries.filter((entry) => entry.kind === kind);
const findings = ({ verdict }: Awaited<ReturnType<VirtualWorld["run"]>>) => verdict.findings.map(({ code }) => code);

describe("a toggle", () => {
  test("restores every claim but id and times, in two pushes, and journals the undo first", async () => {
    const world = await deafWorld();
    const before = claims(world);
    const pushed: unknown[] = [];
    world.faults.push.takes.set("n1", 0);
    expect(await world.run("heal")).toMatchObject({
      outcome: "healed",
      rungs: [{ rung: "toggle-jetstream" }],
    });
    for (const { jwt } of world.machines.pushes) pushed.push(jwt.document.claims.nats["limits"]);
    expect(pushed).toEqual([expect.not.objectContaining({ disk_storage: -1 }), WITH_JETSTREAM]);
    const after = claims(world);
    expect({ ...after, jti: "", iat: 0 }).toEqual({ ...before, jti: "", iat: 0 });
    const kinds = world.journal.entries.map(({ kind }) => kind);
    expect(kinds.indexOf("toggle.opened")).toBeLessThan(kinds.indexOf("push.started"));
    expect(of(world, "toggle.opened")[0]?.data).toMatchObject({ jti: before?.jti });
    expect(of(world, "toggle.closed")).toMatchObject([{ data: { jti: after?.jti } }]);
  });

  test("recreates memory assets where they ended", async () => {
    const world = await deafWorld({}, true);
    world.machines.streamsOf(APP.id).get("CACHE")?.publish(41);
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    const cache = world.machines.streamsOf(APP.id).get("CACHE");
    expect({ messages: cache?.messages, lastSeq: cache?.lastSeq }).toEqual({ messages: 0, lastSeq: 42 });
    expect([...(cache?.consumers.keys() ?? [])]).toEqual(["reader"]);
  });

  test("waits until the server has switched, both times", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.machines.timing.jetstream = 25_000;
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    expect(snapshot(world)).toEqual(before);
  });

  test("that the server does not carry out is undone at once", async () => {
    const world = await deafWorld();
    const before = snapshot(world);
    world.machines.timing.jetstream = 40_000;
    await expect(world.run("heal")).rejects.toMatchObject({
      code: "push.not_proved",
      message: expect.stringMatching(/JetStream of .* did not turn off within 30 s/),
    });
    world.advance(120_000);
    expect(claims(world)?.nats["limits"]).toEqual(WITH_JETSTREAM);
    world.machines.timing.jetstream = 800;
    await world.run("heal");
    expect(leftBehind(world)).toEqual([]);
    expect(snapshot(world)).toEqual(before);
  });

  test("whose push was not answered is undone at once", async () => {
    const world = await deafWorld();
    world.faults.push.unheard.add("n1");
    const { resolver } = world.newContext();
    let pushes = 0;
    const push: typeof resolver.push = (token) => {
      if (++pushes > 1) world.faults.push.unheard.clear();
      return resolver.push(token);
    };
    const end = world.run("heal", {}, { resolver: { ...resolver, push } });
    await expect(end).rejects.toMatchObject({ code: "nats.timeout" });
    expect({ pushes, limits: claims(world)?.nats["limits"] }).toEqual({ pushes: 2, limits: WITH_JETSTREAM });
    await world.run("heal");
    expect(leftBehind(world)).toEqual([]);
  });

  test.each([
    ["a lost connection", new RelightError("nats.connection_lost", "lost")],
    ["an unexpected error", new TypeError("x is not a function")],
  ])("that stops halfway because of %s is undone at once", async (_what, error) => {
    const world = await deafWorld();
    const { resolver } = world.newContext();
    let isBroken = true;
    const running: typeof resolver.running = async (account) => {
      if (!isBroken || world.machines.pushes.length === 0) return resolver.running(account);
      isBroken = false;
      throw error;
    };
    await expect(world.run("heal", {}, { resolver: { ...resolver, running } })).rejects.toBeInstanceOf(Error);
    expect(claims(world)?.nats["limits"]).toEqual(WITH_JETSTREAM);
    expect(leftBehind(world)).not.toContain("an open toggle");
  });

  test("stays open if memory assets can't be recreated, and is a finding until they are", async () => {
    const world = await deafWorld({}, true);
    world.faults.recreation = (stream) => `no room for ${stream}`;
    const done = await world.run("heal");
    expect(done.rungs).toMatchObject([
      {
        rung: "toggle-jetstream",
        result: "failed",
        why: expect.stringMatching(/stream CACHE could not be recreated: no room for CACHE/),
      },
    ]);
    expect(findings(done)).toContain("remedy.unfinished");
    expect(await world.run("heal")).toMatchObject({
      outcome: "escalated",
      rungs: [{ rung: "finish-toggle", result: "failed" }],
    });
    world.faults.recreation = () => undefined;
    expect((await world.run("heal")).rungs).toMatchObject([{ rung: "finish-toggle", result: "helped" }]);
    expect([...world.machines.streamsOf(APP.id).keys()].sort()).toEqual(["CACHE", "JOBS", "ORDERS"]);
    expect(leftBehind(world)).toEqual([]);
  });

  test("does not start without the key that restores JetStream", async () => {
    const world = await deafWorld();
    world.state.signerIsDown = true;
    const done = await world.run("heal");
    expect(done.rungs).toMatchObject([
      {
        rung: "toggle-jetstream",
        result: "refused",
        why: expect.stringMatching(/key service does not answer/),
      },
      { rung: "restart-servers", result: "refused" },
    ]);
    expect({ pushes: world.machines.pushes, opened: of(world, "toggle.opened") }).toEqual({
      pushes: [],
      opened: [],
    });
  });

  test("does not start if the server could not enable JetStream again", async () => {
    const world = await deafWorld({
      servers: [{ name: "n1", version: "2.10.27", room: 2 ** 20 }],
      accounts: [{ ...APP, limits: { ...WITH_JETSTREAM, mem_storage: 2 ** 26 } }],
    });
    expect((await world.run("heal")).rungs[0]).toMatchObject({
      rung: "toggle-jetstream",
      result: "refused",
      why: expect.stringMatching(/the server would not enable JetStream again/),
    });
    expect(world.machines.pushes).toEqual([]);
  });
});

describe("a toggle where servers take no push", () => {
  test("leaves nothing open where every server refuses it, and the next job may try again", async () => {
    const world = await deafWorld();
    const before = claims(world);
    world.faults.push.refused.set("n1", "the disk is full");
    const done = await world.run("heal");
    expect(done).toMatchObject({ outcome: "escalated", rungs: [{ rung: "toggle-jetstream", result: "failed" }, {}] });
    expect(findings(done)).not.toContain("remedy.unfinished");
    expect(claims(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
    world.faults.push.refused.clear();
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
  });

  test.each(["cache", "memory-or-url"] as const)("works with a %s resolver, which can't be asked", async (resolver) => {
    const world = await deafWorld();
    world.faults.resolver = resolver;
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", rungs: [{ rung: "toggle-jetstream" }] });
    expect(leftBehind(world)).toEqual([]);
  });
});

describe("a toggle that a crashed job left open", () => {
  /** As if a job had crashed while JetStream was off. */
  async function halfway(settings: WorldSettings = {}) {
    const world = await deafWorld(settings);
    const before = snapshot(world);
    const { resolver } = world.newContext();
    const lost = new RelightError("nats.connection_lost", "lost");
    let pushes = 0;
    const push: typeof resolver.push = async (token) => {
      if (++pushes > 1) throw lost;
      return resolver.push(token);
    };
    await expect(world.run("heal", {}, { resolver: { ...resolver, push } })).rejects.toBe(lost);
    world.advance(60_000);
    expect(claims(world)?.nats["limits"]).not.toHaveProperty("disk_storage");
    return { world, before };
  }

  test("is finished by the next job, whatever its trigger", async () => {
    const { world, before } = await halfway();
    const done = await world.run("verify");
    expect(done.rungs).toContainEqual(expect.objectContaining({ rung: "finish-toggle", result: "helped" }));
    expect(done.verdict.health).toBe("healthy");
    expect(snapshot(world)).toEqual(before);
    expect(claims(world)?.nats["limits"]).toEqual(WITH_JETSTREAM);
    expect(leftBehind(world)).toEqual([]);
  });

  test("is finished where the resolver can't be asked", async () => {
    const { world } = await halfway();
    world.faults.resolver = "memory-or-url";
    const done = await world.run("verify");
    expect(done.rungs).toContainEqual(expect.objectContaining({ rung: "finish-toggle", result: "helped" }));
    expect(done.verdict).toMatchObject({ health: "healthy", warnings: [{ code: "resolver.not_kept" }] });
    expect(leftBehind(world)).toEqual([]);
  });

  test("is finished with renewed claims if they have expired in between", async () => {
    const { world } = await halfway();
    world.advance(100 * 86_400_000);
    expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy" } });
    expect(Number(claims(world)?.exp)).toBeGreaterThan(toSeconds(world.now()));
    expect(claims(world)?.nats["limits"]).toEqual(WITH_JETSTREAM);
    expect(leftBehind(world)).toEqual([]);
  });

  test("is not pushed over newer claims with JetStream", async () => {
    const { world } = await halfway();
    const limits = { ...WITH_JETSTREAM, mem_storage: 7 };
    world.machines.force(world.issue(APP, { jti: "NEWER", limits }));
    world.advance(2_000);
    await world.run("heal");
    expect(claims(world)).toMatchObject({ jti: "NEWER", nats: { limits } });
    expect(of(world, "toggle.closed").at(-1)).toMatchObject({ data: { jti: "NEWER" } });
  });

  test("is restored over newer claims without JetStream only as far as the gate allows", async () => {
    const { world } = await halfway();
    const { disk_storage: _disk, mem_storage: _memory, ...limits } = { ...WITH_JETSTREAM, conn: 5 };
    world.machines.force(world.issue(APP, { jti: "NEWER", limits }));
    world.advance(2_000);
    const done = await world.run("heal");
    expect(done.rungs).toContainEqual(expect.objectContaining({ rung: "finish-toggle", result: "failed" }));
    expect(claims(world)).toMatchObject({ jti: "NEWER" });
    expect(findings(done)).toContain("remedy.unfinished");
  });

  test("is left alone if the account was deleted", async () => {
    const { world } = await halfway();
    world.machines.deleteAccount(APP.id);
    const pushes = world.machines.pushes.length;
    await world.run("heal");
    expect(world.machines.pushes).toHaveLength(pushes);
    expect(leftBehind(world)).toContain("an open toggle");
  });

  test("is left if the mode may not heal, and a person is paged", async () => {
    const { world } = await halfway();
    const mode = { mode: "renew", because: "a test says so", dryRun: false } as const;
    const done = await world.run("remediate", {}, { mode });
    expect(done.rungs).toContainEqual(
      expect.objectContaining({
        rung: "finish-toggle",
        result: "refused",
        why: expect.stringMatching(/relight heal/),
      }),
    );
    expect(findings(done)).toContain("remedy.unfinished");
    expect(world.incidents.at(-1)).toMatchObject({ status: "open" });
  });
});
