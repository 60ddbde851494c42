import { describe, expect, test } from "@jest/globals";
import { millis } from "../../../lib/domain/time/time.ts";
import { confirmRestart } from "../../../lib/usecases/orders/confirm-restart.ts";
import { virtualAccount } from "../../support/virtual/claims.ts";
import { expire, fill, leftBehind, restartWhileExpired, snapshot } from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/**
 * Servers are restarted one at a time, each only if nothing else is at risk, and an unfinished restart stops all
 * others.
 */

const OTHER = virtualAccount("OTHER");

interface Damage {
  readonly settings?: WorldSettings;
  readonly replicas?: number;
  /** The servers that restarted while the account was expired. */
  readonly servers?: readonly string[];
}

async function damagedWorld({ settings = {}, replicas = 3, servers = ["n1", "n2"] }: Damage = {}) {
  const world = virtualWorld({
    servers: 3,
    version: "2.10.27",
    canRestart: true,
    accounts: [APP, OTHER],
    ...settings,
  });
  fill(world, { replicas });
  await world.run();
  const before = snapshot(world);
  restartWhileExpired(world, servers);
  world.advance(60_000);
  return { world, before };
}
const of = ({ journal }: VirtualWorld, kind: string) => journal.entries.filter((entry) => entry.kind === kind);
const rungOf = async (world: VirtualWorld) => {
  const { rungs } = await world.run("heal");
  return rungs.find(({ rung }) => rung === "restart-servers");
};

describe("restarts", () => {
  test("affect only damaged servers, the meta leader last, each journaled before and after", async () => {
    const { world, before } = await damagedWorld();
    const leader = world.machines.meta?.leader;
    expect(leader).toBeDefined();
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    const { restarts } = world.machines;
    expect([...restarts].sort()).toEqual(["n1", "n2"]);
    if (restarts.includes(String(leader))) expect(restarts.at(-1)).toBe(leader);
    const servers = (kind: string) => of(world, kind).map(({ data }) => data["server"]);
    expect([servers("restart.opened"), servers("restart.closed")]).toEqual([restarts, restarts]);
    expect(of(world, "restart.opened")[0]).toMatchObject({
      account: "-",
      data: { for: APP.id, version: "2.10.27" },
    });
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
  });

  test("do the meta leader last if an election would crash damaged servers", async () => {
    const { world } = await damagedWorld({ settings: { version: "2.10.20" }, servers: [] });
    expire(world);
    for (const name of ["n2", "n3", "n1"]) {
      world.machines.restart(name);
      world.advance(20_000);
    }
    // The meta leader at the time of the damage is gone: the survivors must not be restarted.
    world.machines.panics.length = 0;
    for (const { name } of world.machines.servers) world.machines.boot(name);
    world.advance(60_000);
    world.machines.force(world.issue(APP));
    world.advance(2_000);
    expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy" } });
    expect(world.machines.panics).toEqual([]);
  });

  test("wait until a server is back and everything is current before the next", async () => {
    const { world, before } = await damagedWorld();
    world.machines.timing.restart = 200_000;
    let most = 0;
    const { restarter } = world.newContext();
    const restart: NonNullable<typeof restarter>["restart"] = async (server) => {
      await restarter?.restart(server);
      most = Math.max(most, world.machines.servers.filter(({ isUp }) => !isUp).length);
    };
    expect(await world.run("heal", {}, { restarter: { restart } })).toMatchObject({ outcome: "healed" });
    expect(most).toBe(1);
    expect(snapshot(world)).toEqual(before);
  });

  test("end once the account is healthy", async () => {
    const { world } = await damagedWorld({ replicas: 1, servers: ["n1"] });
    expect(await world.run("heal")).toMatchObject({ outcome: "healed" });
    expect(world.machines.restarts).toEqual(["n1"]);
  });

  test("wait for an election of the meta group to end", async () => {
    const { world } = await damagedWorld();
    world.machines.meta?.stepDown();
    world.machines.timing.stepDown = 10_000;
    expect(await rungOf(world)).toMatchObject({ result: "helped" });
  });
});

describe("no server is restarted", () => {
  test.each<[string, (world: VirtualWorld) => void, RegExp]>([
    [
      "while another account with streams is expired",
      (world) => {
        world.machines.addStream(OTHER.id, { name: "THEIRS", subjects: ["x"], num_replicas: 3 }).publish(1);
        world.advance(60_000);
        expire(world, OTHER);
      },
      /account .* has expired: a server that starts now would damage its streams/,
    ],
    [
      "while the resolver lacks another account, which no restarted server would know",
      (world) => world.machines.forget(OTHER.id),
      /the resolver lacks the JWT of account .*: a server that starts now would refuse its clients/,
    ],
    [
      "while another account's replica is behind",
      (world) => {
        const theirs = world.machines.addStream(OTHER.id, { name: "THEIRS", num_replicas: 3 });
        world.advance(60_000);
        world.machines.timing.catchUp = 3_600_000;
        theirs.group.join("n3");
        world.machines.timing.catchUp = 1_000;
      },
      /stream .* > THEIRS has replicas that are behind: n3/,
    ],
    [
      "that holds another account's memory alone, whatever the policy allows here",
      (world) => {
        world.settingsById.set(APP.id, {
          ...world.settingsById.get(APP.id),
          id: APP.id,
          allowMemoryLoss: true,
        });
        for (const [index, name] of ["n1", "n2"].entries()) {
          const tags = [name];
          const config = { name: `M${index}`, storage: "memory", placement: { tags } };
          world.machines.addStream(OTHER.id, config).publish(1);
        }
        world.advance(60_000);
      },
      /exists only on n[12] and would be lost; .*exists only on n[12]/,
    ],
    [
      "while a server is away",
      (world) => {
        world.machines.kill("n3");
        world.advance(30_000);
      },
      /n3 does not answer|n3 was last heard/,
    ],
    [
      "that would not start again",
      (world) => {
        const system = world.issue(KEYS.system, { limits: WITH_JETSTREAM });
        world.machines.force(system);
        world.advance(1_000);
      },
      /the system account's claims give it JetStream, so a restarted server could not start/,
    ],
  ])("%s", async (_what, prepare, why) => {
    const { world } = await damagedWorld({
      settings: { servers: ["n1", "n2", "n3"].map((name) => ({ name, version: "2.10.27", tags: [name] })) },
    });
    prepare(world);
    const done = await world.run("heal");
    expect(world.machines.restarts).toEqual([]);
    expect(JSON.stringify(done.rungs) + done.why).toMatch(why);
    expect(done.outcome).not.toBe("healed");
    expect(of(world, "restart.opened")).toEqual([]);
    expect(leftBehind(world)).toEqual([]);
  });

  test("while another job restarts servers", async () => {
    const { world } = await damagedWorld();
    await world.journal.acquire("restarts", "another", millis(3_600_000));
    await expect(world.run("heal")).rejects.toMatchObject({ code: "restart.busy" });
    expect(world.machines.restarts).toEqual([]);
  });
});

describe("a restart that did not finish", () => {
  async function unfinished(restart: VirtualWorld["faults"]["restart"]) {
    const { world } = await damagedWorld();
    world.faults.restart = restart;
    const rung = await rungOf(world);
    world.faults.restart = "works";
    return { world, rung };
  }

  test("because the server stays away prevents further ones until a person has confirmed it", async () => {
    const { world, rung } = await unfinished("gone");
    const [server = ""] = world.machines.restarts;
    expect(rung).toMatchObject({
      result: "failed",
      why: `${server} was restarted, but ${server} did not answer within 300 s`,
    });
    expect(world.incidents.at(-1)).toMatchObject({ status: "open" });
    const context = () => world.newContext();
    await expect(confirmRestart(context(), server)).rejects.toMatchObject({ code: "restart.refused" });
    world.machines.boot(server);
    world.advance(60_000);
    expect(await rungOf(world)).toMatchObject({
      result: "failed",
      why: expect.stringMatching(new RegExp(`the restart of ${server} at .* did not finish`)),
    });
    expect(world.machines.restarts).toEqual([server]);
    const other = server === "n1" ? "n2" : "n1";
    await expect(confirmRestart(context(), other)).rejects.toMatchObject({ code: "usage" });
    expect(await confirmRestart(context(), server)).toBe(server);
    expect(await confirmRestart(context(), server)).toBeUndefined();
    expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy" } });
    expect(leftBehind(world)).toEqual([]);
  });

  test("because the platform did not report it stays open", async () => {
    const { world, rung } = await unfinished("failed");
    expect(rung).toMatchObject({ result: "failed", why: "the platform did not answer" });
    expect(leftBehind(world)).toEqual(["an open restart"]);
  });

  test("is closed if it certainly did not begin", async () => {
    const { world, rung } = await unfinished("unbegun");
    expect(rung).toMatchObject({ result: "failed", why: "the platform refused" });
    expect(of(world, "restart.closed")).toMatchObject([{ data: { begun: false } }]);
    expect(leftBehind(world)).toEqual([]);
    expect(await rungOf(world)).toMatchObject({ result: "helped" });
  });
});
