import { readFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { assertBucketsWork, fillBuckets } from "../../lab/buckets.ts";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/resident.ts";
import { allowRestarts, assertNoPanic } from "../support/zoo.ts";

/** KV buckets and object stores with three replicas and with one, as the official clients create them. */
async function buckets(version: string): Promise<World> {
  const world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
  const client = await world.connectAs("app");
  await fillBuckets(client);
  await client.close();
  const { json } = await relight(world, "verify", "APP", "--json");
  expect(json).toMatchObject({ verdict: "healthy", findings: [], streams: 4 });
  return world;
}

/** A client that stays connected, or keeps trying, whatever the servers answer. */
async function persistentClient({ home, servers }: World): Promise<NatsConnection> {
  return connect({
    servers: servers.map(({ url }) => url),
    authenticator: credsAuthenticator(await readFile(`${home}/app.creds`)),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ignoreAuthErrorAbort: true,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: what the command printed
const directDeaf = ({ findings }: any): readonly string[] =>
  findings
    .filter(({ code }: { code: string }) => code === "stream.direct_deaf")
    .map(({ subject }: { subject: { stream: string } }) => subject.stream)
    .sort();

test("on nats-server 2.10.27: healed in place, and a client that uses them throughout works again", async () => {
  await using world = await buckets("2.10.27");
  const client = await persistentClient(world);
  const kv = await new Kvm(jetstream(client)).create("cfg", { replicas: 3 });
  const store = await new Objm(jetstream(client)).create("files", { replicas: 3 });
  const [state, before] = [await snapshot(world), await configurations(world)];
  const pids = world.servers.map((server) => server.pid());
  let isOver = false;
  const failures = new Set<string>();
  const used = (async () => {
    while (!isOver) {
      await kv.get("colour").catch((error: Error) => failures.add(error.message));
      await new Promise((done) => setTimeout(done, 100));
    }
  })();

  await expire(world);
  await renewByHand(world);
  const dead = await relight(world, "verify", "APP", "--json");
  expect(directDeaf(dead.json)).toEqual(["KV_cfg", "KV_local", "OBJ_files", "OBJ_things"]);
  const { json, exit } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(exit).toBe(0);
  isOver = true;
  await used;
  expect(failures.size).toBeGreaterThan(0);
  expect(await snapshot(world)).toEqual(state);
  expect(await configurations(world)).toEqual(before);
  expect(world.servers.map((server) => server.pid())).toEqual(pids);
  const found = await retry("the client to be connected again", () => kv.get("colour"));
  expect(found?.string()).toBe("red");
  expect(await store.getBlob("letter")).toBeInstanceOf(Uint8Array);
  await assertBucketsWork(client);
  await client.close();
});

test("on nats-server 2.9.10: buckets with three replicas need a restart, and without one Relight says so", async () => {
  await using world = await buckets("2.9.10");
  const state = await snapshot(world);
  await expire(world);
  await renewByHand(world);
  const refused = await relight(world, "heal", "APP", "--json");
  expect({ exit: refused.exit, verdict: refused.json.verdict }).toEqual({ exit: 2, verdict: "dead" });
  expect(directDeaf(refused.json)).toEqual(["KV_cfg", "OBJ_files"]);
  expect(refused.json.rungs).toContainEqual(
    expect.objectContaining({
      rung: "toggle-direct-gets",
      result: "refused",
      why: expect.stringMatching(/2\.9\.10 can turn direct gets off and on only for single-replica streams/),
    }),
  );

  await using _stop = await allowRestarts(world);
  const healed = await relight(world, "heal", "APP", "--json");
  expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(await snapshot(world)).toEqual(state);
  await assertNoPanic(world);
  const client = await world.connectAs("app");
  await assertBucketsWork(client);
  await client.close();
  const row = {
    damage: "expired, then renewed (#6806)",
    topology: "cluster of three, buckets of three replicas",
    version: "2.9.10",
  };
  const seen = {
    ...row,
    rungs: rungsUsed(refused, healed),
    result: "all alive, nothing lost, each server restarted",
  };
  expect(seen).toEqual(await recorded(seen));
});
