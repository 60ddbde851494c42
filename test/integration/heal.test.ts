import { readdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expire, fill, forgetJwt, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS, WITH_DEFECT } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

async function brokenWorld(version: string, options: { memory?: boolean } = {}): Promise<World> {
  const world = await createWorld({ binary: (await serverBinary(version)).path });
  await fill(world, { memory: options.memory ?? false });
  await expire(world);
  await renewByHand(world);
  return world;
}

const WORKS = { apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" };
const jtiOf = async (world: World): Promise<string> => {
  const connection = await world.connectAs("system");
  const reply = await connection.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`);
  await connection.close();
  return JSON.parse(Buffer.from(reply.string().split(".")[1] ?? "", "base64url").toString()).jti;
};

describe.each(sampleOf(["2.9.25", "2.10.27"], WITH_DEFECT))("nats-server %s, which has #6806", (version) => {
  test("an account that was renewed by hand looks healthy, is dead, and is healed without a restart or a loss", async () => {
    await using world = await brokenWorld(version);
    const before = await snapshot(world);
    const pid = world.server.pid();
    expect(await symptoms(world)).toMatchObject({ apiInfo: "ok", streamInfo: "ok" });
    expect((await symptoms(world)).publish).toMatch(/no responders/);

    const dead = await relight(world, "verify", "APP", "--json");
    expect(dead.json).toMatchObject({ account: world.accountId, verdict: "dead", depth: "account" });
    expect(dead.json.findings.map(({ code }: { code: string }) => code)).toEqual([
      "stream.deaf", // JOBS
      "stream.deaf", // ORDERS
      "consumer.deaf", // audit (push, no acknowledgements)
      "consumer.deaf", // shipping (pull)
    ]);
    expect(dead.json.diagnosis.join()).toContain(`${version} has nats-server #6806`);
    expect(dead.exit).toBe(2);

    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect(healed.json.rungs).toEqual([
      { rung: "toggle-jetstream", target: world.accountId, result: "helped", why: expect.any(String) },
    ]);
    expect(healed.exit).toBe(0);

    const healthy = await relight(world, "verify", "APP", "--json");
    expect(healthy.json).toMatchObject({ verdict: "healthy", findings: [] });
    expect(healthy.exit).toBe(0);
    expect(await snapshot(world)).toEqual(before);
    expect(world.server.pid()).toBe(pid);
    expect(await symptoms(world)).toEqual(WORKS);
  });
});

/** One world in which JetStream is dead, with a memory stream; only the last test changes it. */
describe.each(sampleOf(["2.10.27"], WITH_DEFECT))("a dead account (nats-server %s)", (version) => {
  let world: World;
  beforeAll(async () => {
    world = await brokenWorld(version, { memory: true });
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  /** Runs with another relight.yaml. */
  async function configured<T>(change: (yaml: string) => string, work: () => Promise<T>): Promise<T> {
    const file = `${world.home}/relight.yaml`;
    const yaml = await readFile(file, "utf8");
    await writeFile(file, change(yaml));
    return work().finally(() => writeFile(file, yaml));
  }
  const withoutKey = (yaml: string): string => yaml.replace(/ {4}signingKey: file:app.nk\n/, "");
  const allowLoss = (yaml: string): string => `${yaml}    allowMemoryLoss: true\n`;

  test("a client that listens on a dead stream's subject does not make it look alive", async () => {
    await using client = await subscriber(world, ["orders.*", "jobs.>"]);
    expect(client.isClosed()).toBe(false);
    const { json } = await relight(world, "verify", "APP", "--json");
    const deaf = json.findings.filter(({ code }: { code: string }) => code === "stream.deaf");
    expect(deaf.map(({ subject }: { subject: { stream: string } }) => subject.stream)).toEqual([
      ...["CACHE", "JOBS", "ORDERS"],
    ]);
  });

  test("without an account key the system account's view is still correct", async () => {
    const { json, exit } = await configured(withoutKey, () => relight(world, "verify", world.accountId, "--json"));
    expect(json).toMatchObject({ verdict: "dead", depth: "system" });
    expect(exit).toBe(2);
  });

  test("memory streams: the toggle is refused with the reason, nothing changes, a person is paged", async () => {
    const before = [await snapshot(world), await jtiOf(world)];
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
    expect(json.rungs).toMatchObject([
      { rung: "toggle-jetstream", result: "refused" },
      { rung: "restart-servers", result: "refused" },
    ]);
    expect(json.rungs[0].why).toMatch(/only in memory: stream CACHE/);
    expect(exit).toBe(2);
    expect([await snapshot(world), await jtiOf(world)]).toEqual(before);
  });

  test("memory streams are not touched without the account's key, even if the policy allows it, because it is needed to recreate them", async () => {
    const { json } = await configured(
      (yaml) => withoutKey(allowLoss(yaml)),
      () => relight(world, "heal", world.accountId, "--json"),
    );
    expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
    expect(json.rungs[0].why).toMatch(/its signingKey is not configured/);
  });

  test("memory streams are recreated empty if the policy allows it, with their consumers; files keep every message", async () => {
    const { CACHE: cache, ...files } = await snapshot(world);
    const { json, exit } = await configured(allowLoss, () => relight(world, "heal", "APP", "--json"));
    expect(json).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect(exit).toBe(0);
    const { CACHE: after, ...filesAfter } = await snapshot(world);
    expect(filesAfter).toEqual(files);
    expect(cache).toMatchObject({ messages: 1, consumers: { reader: {} } });
    expect(after).toMatchObject({ messages: 0, consumers: { reader: {} } });
  });
});

test("an account that expired and that the resolver deleted is restored from the journal", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  await fill(world);
  const before = await snapshot(world);
  await expire(world);
  // From now on the journal has its last claims.
  expect((await relight(world, "verify", "APP")).exit).toBe(2);
  await world.server.stop();
  await forgetJwt(world);
  await world.server.start();
  expect((await relight(world, "verify", "APP", "--json")).json.verdict).not.toBe("healthy");

  const { json, exit } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy" });
  expect(json.rungs[0]).toMatchObject({ rung: "renew", why: "it had expired, and the resolver deleted it" });
  expect(exit).toBe(0);
  expect(await snapshot(world)).toEqual(before);
});

test("an account that a person deleted stays deleted", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  await fill(world);
  expect((await relight(world, "verify", "APP")).exit).toBe(0);
  await world.server.stop();
  await forgetJwt(world);
  await world.server.start();
  const { json, exit } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "unhealed", verdict: "dead", rungs: [], page: { delivery: "logged" } });
  expect(json.findings.map(({ code }: { code: string }) => code)).toEqual(["account.gone"]);
  expect(exit).toBe(2);
  const files = await readdir(`${world.server.folder}/jwt`);
  expect(files).not.toContain(`${world.accountId}.jwt`);
});

describe.each(sampleOf(["2.12.5"], ["2.12.5", "2.15.2"]))("nats-server %s, which has #6806 fixed", (version) => {
  test("an account that was renewed by hand is healthy and is left alone", async () => {
    await using world = await brokenWorld(version);
    const jti = await jtiOf(world);
    const verified = await relight(world, "verify", "APP", "--json");
    expect(verified.json).toMatchObject({ verdict: "healthy", findings: [] });
    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(healed.exit).toBe(0);
    expect(await jtiOf(world)).toBe(jti);
  });
});

describe.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))("any server (%s)", (version) => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary(version)).path });
    await fill(world);
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  test("a healthy account is left alone, by verify and by heal", async () => {
    const before = [await snapshot(world), await jtiOf(world)];
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
    const { json } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "healthy", rungs: [] });
    expect([await snapshot(world), await jtiOf(world)]).toEqual(before);
  });

  test("an expired account is renewed first, then revived, and works", async () => {
    const before = await snapshot(world);
    await expire(world);
    const expired = await relight(world, "verify", "APP", "--json");
    expect(expired.json.verdict).toBe("dead");
    expect(expired.json.findings.map(({ code }: { code: string }) => code)).toContain("account.expired");

    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect(json.rungs[0]).toMatchObject({ rung: "renew" });
    expect(exit).toBe(0);
    expect(await snapshot(world)).toEqual(before);
    expect(await symptoms(world)).toEqual(WORKS);
  });
});

async function subscriber(world: World, subjects: readonly string[]) {
  const connection = await world.connectAs("app");
  for (const subject of subjects) connection.subscribe(subject, { callback: () => undefined });
  await connection.flush();
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}
