import { readFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { fillKinds, fillMany } from "../../lab/kinds.ts";
import { expire, fill, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

interface Found {
  readonly code: string;
  readonly subject: { readonly stream?: string; readonly consumer?: string };
}

// biome-ignore lint/suspicious/noExplicitAny: what the command printed
const deafIn = (json: any, code: string): string[] =>
  json.findings
    .filter((found: Found) => found.code === code)
    .map(({ subject }: Found) => subject.stream)
    .sort();

const createOf = async (version: string, size = 1): Promise<World> =>
  createWorld({ binary: (await serverBinary(version)).path, size });

test("a KV bucket, an object store, a work queue, an interest stream and an ephemeral consumer die and revive", async () => {
  await using world = await createOf("2.10.27");
  await fillKinds(world);
  expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
    verdict: "healthy",
    streams: 5,
    consumers: 3,
  });
  await expire(world);
  await renewByHand(world);
  const before = await snapshot(world);
  const dead = (await relight(world, "verify", "APP", "--json")).json;
  expect(deafIn(dead, "stream.deaf")).toEqual(["EVENTS", "KV_SETTINGS", "OBJ_FILES", "WORK", "WORK_LOG"]);
  expect(deafIn(dead, "consumer.deaf")).toEqual(["EVENTS", "WORK", "WORK_LOG"]);
  const { exit, json } = await relight(world, "heal", "APP", "--json");
  expect({ exit, outcome: json.outcome, consumers: json.consumers }).toEqual({
    exit: 0,
    outcome: "healed",
    consumers: 3,
  });
  expect(await snapshot(world)).toEqual(before);
  const client = await world.connectAs("app");
  const settings = await new Kvm(jetstream(client)).create("SETTINGS");
  expect((await settings.get("color"))?.string()).toBe("red");
  await client.close();
});

describe("a cluster of three (nats-server 2.10.27)", () => {
  test("clients that subscribe to the same subjects on every server do not make dead streams look alive", async () => {
    await using world = await createOf("2.10.27", 3);
    await fill(world, { replicas: 3, messages: 3 });
    await expire(world);
    await renewByHand(world);
    await using clients = new AsyncDisposableStack();
    const authenticator = credsAuthenticator(await readFile(`${world.home}/app.creds`));
    for (const { url } of world.servers) {
      const client = await connect({ servers: url, authenticator });
      clients.defer(() => client.close());
      for (const subject of ["orders.*", "jobs.>"]) client.subscribe(subject, { callback: () => undefined });
      await client.flush();
    }
    const { json } = await relight(world, "verify", "APP", "--json");
    expect(deafIn(json, "stream.deaf")).toEqual(["JOBS", "ORDERS"]);
  });

  test("mirrors stall with their origins, and resume after the heal", async () => {
    await using world = await createOf("2.10.27", 3);
    await fill(world, { replicas: 3, messages: 10 });
    await addMirrors(world);
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
      verdict: "healthy",
      findings: [],
    });
    await expire(world);
    const stalled = await waitFor(
      "the copies to have heard nothing for long enough",
      async () => {
        const { json } = await relight(world, "verify", "APP", "--json");
        const found = json.findings.filter(({ code }: Found) => code === "stream.stalled");
        return found.length === 2 && found;
      },
      { timeout: 60_000, interval: 1_000 },
    );
    for (const { health, message } of stalled)
      expect([health, message]).toEqual(["degraded", expect.stringContaining("because the account has expired")]);
    await renewByHand(world);
    const dead = (await relight(world, "verify", "APP", "--json")).json;
    expect(deafIn(dead, "stream.deaf")).toEqual(["JOBS", "ORDERS"]);
    const { exit, json } = await relight(world, "heal", "APP", "--json");
    expect({ exit, findings: json.findings }).toEqual({ exit: 0, findings: [] });
    await using app = await disposableApp(world);
    await app.request("orders.9", "after the heal", { timeout: 5_000 });
    await retry("the copies to follow", async () => {
      for (const name of ["MIRROR", "SOURCED"]) {
        const info = (await app.request(`$JS.API.STREAM.INFO.${name}`)).json<{
          state: { messages: number };
        }>();
        if (info.state.messages !== 11) throw new Error(`${name} has ${info.state.messages}`);
      }
    });
  });
});

describe.each(sampleOf([1], [1, 3]))("hundreds of streams on %i server(s) (nats-server 2.10.27)", (size) => {
  test("are checked with few requests in flight", async () => {
    await using world = await createOf("2.10.27", size);
    await fillMany(world, 300, 1);
    const started = performance.now();
    const healthy = await relight(world, "verify", "APP", "--json");
    process.stdout.write(`300 streams on ${size}: ${Math.round(performance.now() - started)} ms\n`);
    expect(healthy.json).toMatchObject({ verdict: "healthy", streams: 300, consumers: 300, findings: [] });
    await expire(world);
    await renewByHand(world);
    const again = performance.now();
    const dead = await relight(world, "verify", "APP", "--json");
    process.stdout.write(`300 dead streams on ${size}: ${Math.round(performance.now() - again)} ms\n`);
    expect(deafIn(dead.json, "stream.deaf")).toHaveLength(300);
    expect(deafIn(dead.json, "consumer.deaf")).toHaveLength(300);
  });
});

async function disposableApp(world: World) {
  const connection = await world.connectAs("app");
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

async function addMirrors(world: World): Promise<void> {
  await using app = await disposableApp(world);
  const common = { storage: "file", num_replicas: 3 };
  const copies = [
    { ...common, name: "MIRROR", mirror: { name: "ORDERS" } },
    { ...common, name: "SOURCED", num_replicas: 1, sources: [{ name: "ORDERS" }] },
  ];
  for (const config of copies) {
    const reply = await app.request(`$JS.API.STREAM.CREATE.${config.name}`, JSON.stringify(config), {
      timeout: 10_000,
    });
    expect(reply.json()).not.toHaveProperty("error");
  }
}
