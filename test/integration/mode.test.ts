import { readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { nowSeconds } from "../../lab/keys.ts";
import { allConsumers, allStreams } from "../../lab/lists.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/resident.ts";
import { spawnWatch } from "../support/watch.ts";

/** What distinguishes a request from a change; a Relight that only looks must send no change. */
const ORDERS =
  /\.(CLAIMS\.(UPDATE|DELETE)|RELOAD|KICK|LDM|PURGE|REMOVE|STEPDOWN|RESTORE|MOVE|CREATE|UPDATE|DELETE|PAUSE|UNPIN)(\.|$)/;

/** Leaders, replicas and configurations as the account's own client sees them; any change would show here. */
async function stateOf(world: World): Promise<unknown> {
  const app = await world.connectAs("app");
  try {
    const state: unknown[] = [];
    for (const { config, cluster, state: held } of await allStreams(app)) {
      const consumers = (await allConsumers(app, config.name)).map(({ name, cluster: group, config: own }) => {
        return { name, leader: group?.leader, own };
      });
      state.push({ config, leader: cluster?.leader, held: [held.messages, held.last_seq], consumers });
    }
    return state;
  } finally {
    await app.close();
  }
}

/** Every change that reaches the servers meanwhile: as the system account, and in the account itself. */
async function ordersDuring(world: World, work: () => Promise<void>): Promise<readonly string[]> {
  const [system, app] = await Promise.all([world.connectAs("system"), world.connectAs("app")]);
  const heard: string[] = [];
  const note = (_error: unknown, { subject }: { subject: string }): void => {
    if (ORDERS.test(subject)) heard.push(subject);
  };
  system.subscribe("$SYS.REQ.>", { callback: note });
  app.subscribe("$JS.API.>", { callback: note });
  await Promise.all([system.flush(), app.flush()]);
  await work();
  await Promise.all([system.flush(), app.flush()]);
  await Promise.all([system.close(), app.close()]);
  return heard;
}

const kindsOf = async (world: World): Promise<readonly string[]> => {
  const { json } = await relight(world, "journal", "--json");
  return json.entries.map(({ kind }: { kind: string }) => kind);
};

/** The journal's entries about remedies and pushes. */
const DONE = /^(rung|push|toggle|reconfigure|restart|source)\./;

describe("a Relight that only looks, with dead streams in a cluster of 2.10.27", () => {
  let world: World;
  let yaml = "";
  const configure = (change: (text: string) => string): Promise<void> =>
    writeFile(`${world.home}/relight.yaml`, change(yaml));

  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
    yaml = await readFile(`${world.home}/relight.yaml`, "utf8");
    await fill(world, { replicas: 3, messages: 5 });
    const app = await world.connectAs("app");
    const manager = await jetstreamManager(app);
    await retry("stream ONE to be made", () => manager.streams.add({ name: "ONE", subjects: ["one.*"] }));
    await manager.consumers.add("ONE", { durable_name: "oner", ack_policy: AckPolicy.Explicit });
    await app.close();
    await expire(world);
    await renewByHand(world);
  });
  afterEach(() => configure((text) => text));
  afterAll(async () => world[Symbol.asyncDispose]());

  const withoutKey = (text: string): string => text.replace(/ {2}signingKey: file:operator.nk\n/, "");
  const readOnly = (text: string): string => `${text}readOnly: true\n`;

  test.each<[string, (text: string) => string, readonly string[], RegExp]>([
    ["without the operator's key", withoutKey, [], /operator\.signingKey is not configured/],
    ["with readOnly: true", readOnly, [], /readOnly/],
    ["with --dry-run", (text) => text, ["--dry-run"], /--dry-run/],
  ])(
    "%s: run, heal and watch change nothing, and say why and what they would do",
    async (_how, change, options, because) => {
      await configure(change);
      const [before, journalled] = [await stateOf(world), await kindsOf(world)];
      const orders = await ordersDuring(world, async () => {
        const swept = await relight(world, "run", ...options, "--json");
        expect(swept.exit).toBe(2);
        const result = swept.json.results.find(({ account }: { account: string }) => account === world.accountId);
        expect(result).toMatchObject({
          outcome: "looked",
          verdict: "dead",
          why: expect.stringMatching(because),
        });
        expect(result.would).toContainEqual(expect.stringContaining("step-down-leaders"));
        expect(swept.json.mode).toMatchObject({ mode: "look", because: expect.stringMatching(because) });
        const healed = await relight(world, "heal", "APP", ...options, "--json");
        expect(healed.exit).toBe(2);
        expect(healed.json).toMatchObject({ outcome: "looked", rungs: [], verdict: "dead" });
        const people = await relight(world, "heal", "APP", ...options);
        expect(people.stdout).toMatch(/changed nothing, because .*; it would step-down-leaders/);
        await using watch = await spawnWatch(world, ...options);
        const told = await watch.until("the first sweep", ({ what }) => what === "sweep", 60_000);
        expect(told).toMatchObject({
          results: expect.arrayContaining([expect.objectContaining({ outcome: "looked" })]),
        });
        expect(await watch.stop()).toBe(0);
      });
      expect(orders).toEqual([]);
      expect(await stateOf(world)).toEqual(before);
      const kinds = await kindsOf(world);
      expect(kinds.slice(journalled.length).filter((kind) => DONE.test(kind))).toEqual([]);
      // A dry run leaves nothing, not even in the journal.
      if (options.length > 0) expect(kinds).toEqual(journalled);
    },
  );

  test("a person's command is refused with the reason, and nothing is pushed", async () => {
    await configure(readOnly);
    await writeFile(
      `${world.home}/new.jwt`,
      world.sign(world.claims({ exp: nowSeconds() + 7_200, iat: nowSeconds() + 5 })),
    );
    const key = world.operator.getPublicKey();
    const orders = await ordersDuring(world, async () => {
      for (const command of [
        ["renew", "APP"],
        ["push", "new.jwt"],
        ["jetstream", "limits", "APP", "--streams", "50", "--yes"],
        ["rotate-key", "--from", key, "--to", key, "--yes"],
      ]) {
        const { json, exit } = await relight(world, ...command, "--json");
        const refused = command[0] === "rotate-key" ? json : json.error;
        expect({ command, exit, refused }).toMatchObject({ command, exit: 2 });
        if (command[0] !== "rotate-key") expect(refused.code).toBe("mode.forbids");
      }
      for (const command of [
        ["renew", "APP"],
        ["push", "new.jwt"],
      ]) {
        const { json, exit } = await relight(world, ...command, "--dry-run", "--json");
        expect({ command, exit, json }).toMatchObject({ json: { outcome: "looked" } });
      }
    });
    expect(orders).toEqual([]);
  });

  test("status, plan, verify and doctor show the mode, in JSON and in text", async () => {
    await configure(readOnly);
    for (const command of [["status"], ["plan"], ["verify", "APP"], ["doctor"]]) {
      const { json } = await relight(world, ...command, "--json");
      expect(json.mode).toMatchObject({ mode: "look", because: expect.stringContaining("readOnly") });
      expect((await relight(world, ...command)).stdout).toMatch(/Relight changes nothing, because .*readOnly/);
    }
  });

  test("mode: renew renews and stops at remedies", async () => {
    await configure((text) => `${text}mode: renew\n`);
    const before = await stateOf(world);
    const renewed = await relight(world, "renew", "APP", "--json");
    expect(renewed.json).toMatchObject({ outcome: "renewed", verdict: "dead" });
    const { json } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "looked", why: expect.stringContaining("mode: renew") });
    expect(await stateOf(world)).toEqual(before);
  });

  test("with the original configuration Relight heals", async () => {
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", mode: { mode: "heal" } });
    expect(exit).toBe(0);
  });
});
