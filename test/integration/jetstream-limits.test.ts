import { describe, expect, test } from "@jest/globals";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { nowSeconds } from "../../lab/keys.ts";
import { fill, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

const FLAT = ["mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"];

/** Removes JetStream from the account's claims, as in an account that never had it. */
async function withoutJetStream(world: World): Promise<void> {
  const claims = world.claims({ iat: nowSeconds() + 1 });
  const limits = { ...(claims.nats["limits"] as Record<string, unknown>) };
  for (const key of FLAT) delete limits[key];
  await world.push(world.sign({ ...claims, nats: { ...claims.nats, limits } }));
}

const limitsOf = async (world: World) => {
  const connection = await world.connectAs("app");
  try {
    const info = await (await jetstreamManager(connection)).getAccountInfo();
    return { flat: info.limits, tiers: info.tiers ?? {} };
  } finally {
    await connection.close();
  }
};

/** ORDERS has two consumers: with that limit it may have no third, and JOBS its first. */
async function consumersAreCountedPerStream(world: World): Promise<void> {
  const limited = await jetstream(world, "limits", "APP", "--consumers", "2", "--yes");
  expect(limited.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
  const connection = await world.connectAs("app");
  try {
    const { consumers } = await jetstreamManager(connection);
    const third = { durable_name: "third", ack_policy: AckPolicy.Explicit };
    await expect(consumers.add("ORDERS", third)).rejects.toThrow(/maximum consumers/);
    await consumers.add("JOBS", third);
    await consumers.delete("JOBS", "third");
  } finally {
    await connection.close();
  }
}

/** How many claims anybody pushed while `work` ran. */
async function pushesDuring<T>(world: World, work: () => Promise<T>): Promise<{ result: T; pushes: number }> {
  const system = await world.connectAs("system");
  const subscription = system.subscribe("$SYS.REQ.CLAIMS.UPDATE");
  await system.flush();
  const result = await work();
  await system.flush();
  const pushes = subscription.getReceived();
  await system.close();
  return { result, pushes };
}

const jetstream = (world: World, ...args: string[]) => relight(world, "jetstream", ...args, "--json");

const WHERE = [
  ["2.9.25", 1],
  ["2.10.27", 3],
  ["2.15.2", 1],
  ["2.9.25", 3],
  ["2.10.20", 1],
  ["2.10.27", 1],
  ["2.12.5", 3],
  ["2.15.2", 3],
] as const;

describe.each(sampleOf(WHERE.slice(0, 3), WHERE))("JetStream limits (nats-server %s, %d servers)", (version, size) => {
  test("JetStream is enabled, used, raised and lowered; no other claim changes", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, size });
    await withoutJetStream(world);

    const enabled = await jetstream(world, "enable", "APP", "--memory", "1MB", "--storage", "10MB", "--yes");
    expect(enabled.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
    const changed = enabled.json.pushed.changes.map(({ path }: { path: string }) => path).sort();
    expect(changed).toEqual(["iat", "jti", "nats.limits.disk_storage", "nats.limits.mem_storage"]);
    expect(enabled.exit).toBe(0);
    expect((await limitsOf(world)).flat).toMatchObject({ max_memory: 1e6, max_storage: 10e6 });
    await fill(world, { messages: 20 });
    const before = await snapshot(world);

    const less = await pushesDuring(world, () => jetstream(world, "limits", "APP", "--storage", "100", "--yes"));
    expect(less.result.json.error).toMatchObject({
      code: "limits.refused",
      message: expect.stringMatching(/hold/),
    });
    expect(less.result.exit).toBe(2);
    expect(less.pushes).toBe(0);

    const more = await jetstream(world, "limits", "APP", "--storage", "20MB", "--streams", "5", "--yes");
    expect(more.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
    expect((await limitsOf(world)).flat).toMatchObject({
      max_memory: 1e6,
      max_storage: 20e6,
      max_streams: 5,
    });
    const forced = await jetstream(world, "limits", "APP", "--streams", "1", "--force", "--yes");
    expect(forced.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
    expect(await snapshot(world)).toEqual(before);
    await consumersAreCountedPerStream(world);
    expect(await symptoms(world)).toEqual({ apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" });

    const { entries } = (await relight(world, "journal", "APP", "--json")).json;
    const purposes = entries
      .filter(({ kind }: { kind: string }) => kind === "push.started")
      .map(({ data }: { data: { purpose: string } }) => data.purpose);
    expect(purposes).toEqual(["JetStream enabled", ...Array(3).fill("JetStream limits")]);
  });
});

describe.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))(
  "refused JetStream limits (nats-server %s)",
  (version) => {
    test("limits that the server can't reserve are refused, forced or not; it would silently keep the old ones", async () => {
      await using world = await createWorld({ binary: (await serverBinary(version)).path });
      await fill(world, { messages: 5 });
      const { result, pushes } = await pushesDuring(world, () =>
        jetstream(world, "limits", "APP", "--memory", "1GiB", "--yes", "--force"),
      );
      expect(result.json.error).toMatchObject({
        code: "limits.refused",
        message: expect.stringMatching(/1 GiB of memory can't be reserved: lab has 256 MB/),
      });
      expect(pushes).toBe(0);

      // What this prevents: the claims are in force, but JetStream does not match them.
      const claims = world.claims({ iat: nowSeconds() + 5, limits: { mem_storage: 2 ** 30 } });
      await world.push(world.sign(claims));
      expect((await limitsOf(world)).flat.max_memory).toBe(67_108_864);
    });
  },
);

test.each(sampleOf(["2.10.27"], VERSIONS))(
  "without --yes and without a person nothing changes; --dry-run shows the change (nats-server %s)",
  async (version) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    const { result, pushes } = await pushesDuring(world, async () => ({
      asked: await jetstream(world, "limits", "APP", "--streams", "7"),
      shown: await jetstream(world, "limits", "APP", "--streams", "7", "--dry-run"),
      off: await jetstream(world, "limits", "APP", "--memory", "0", "--storage", "0", "--yes", "--force"),
      again: await jetstream(world, "enable", "APP", "--memory", "1MB", "--yes"),
      tier: await jetstream(world, "limits", "APP", "--tier", "R1", "--storage", "1MB", "--yes"),
      typo: await jetstream(world, "limits", "APP", "--storage", "1 elephant", "--yes"),
      journal: await relight(world, "journal", "--json"),
    }));
    expect(result.asked.json.error).toMatchObject({
      code: "usage",
      message: expect.stringMatching(/--yes/),
    });
    expect(result.shown.json.changes).toEqual([{ path: "nats.limits.streams", before: -1, after: 7 }]);
    expect(result.shown.exit).toBe(0);
    expect(result.off.json.error.message).toMatch(/would remove the account's JetStream/);
    expect(result.again.json.error.message).toMatch(/already has JetStream/);
    expect(result.tier.json.error.message).toMatch(/flat limits/);
    expect(result.typo.exit).toBe(3);
    expect(result.journal.json.entries).toEqual([]);
    expect(pushes).toBe(0);
  },
);

describe.each(sampleOf(["2.15.2"], ["2.10.27", "2.15.2"]))(
  "tiered limits in a cluster of three (nats-server %s)",
  (version) => {
    test("tiers are enabled and changed separately; their promises count with replicas", async () => {
      await using world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
      await withoutJetStream(world);
      const enable = ["enable", "APP", "--tier", "R3", "--storage", "10MB", "--yes"] as const;
      expect((await jetstream(world, ...enable)).json).toMatchObject({
        outcome: "pushed",
        verdict: "healthy",
      });
      const second = await jetstream(world, "limits", "APP", "--tier", "R1", "--storage", "1MB", "--yes");
      expect(second.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
      await fill(world, { replicas: 3, messages: 20 });
      const { tiers } = await limitsOf(world);
      expect(tiers).toMatchObject({
        R1: { limits: { max_storage: 1e6 } },
        R3: { limits: { max_storage: 10e6 } },
      });

      const tooMuch = await jetstream(world, "limits", "APP", "--tier", "R3", "--storage", "1.1GB", "--yes");
      expect(tooMuch.json.error.message).toMatch(/of disk can't be reserved: .* have 3 GB/);
      const flat = await jetstream(world, "limits", "APP", "--storage", "1GB", "--yes");
      expect(flat.json.error.message).toMatch(/has tiers \(R3, R1\)/);
      const below = await jetstream(world, "limits", "APP", "--tier", "R3", "--storage", "100", "--yes");
      expect(below.json.error.message).toMatch(/streams on disk hold/);
      const unused = await jetstream(world, "limits", "APP", "--tier", "R1", "--storage", "100", "--yes");
      expect(unused.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
      expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
    });
  },
);
