import { describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** In a cluster the toggle destroys streams, so it must be impossible; nothing else is climbed there yet. */
describe.each(["2.9.10", "2.10.27"])("a cluster of three (nats-server %s)", (version) => {
  test("is seen as dead on its leaders, and the toggle is refused before anything is pushed", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
    await fill(world, { replicas: 3, messages: 10 });
    const healthy = await relight(world, "verify", "APP", "--json");
    expect(healthy.json).toMatchObject({ verdict: "healthy", findings: [] });
    expect(healthy.json.servers).toHaveLength(3);

    await expire(world);
    await renewByHand(world);
    const before = await snapshot(world);
    const dead = await relight(world, "verify", "APP", "--json");
    expect(dead.json.verdict).toBe("dead");
    expect(dead.exit).toBe(2);

    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
    expect(json.rungs).toMatchObject([{ rung: "toggle-jetstream", result: "refused" }]);
    expect(json.rungs[0].why).toMatch(/3 servers answered; in a cluster the toggle destroys/);
    expect(exit).toBe(2);
    const { entries } = (await relight(world, "journal", "APP", "--json")).json;
    expect(entries.map(({ kind }: { kind: string }) => kind)).not.toContain("push.started");
    expect(await snapshot(world)).toEqual(before);
  });

  test("renewal is proved on every server", async () => {
    await using world = await createWorld({
      binary: (await serverBinary(version)).path,
      size: 3,
      lives: 3_600,
    });
    await fill(world, { replicas: 3, messages: 3 });
    const { json } = await relight(world, "renew", "APP", "--json");
    expect(json).toMatchObject({ outcome: "renewed", verdict: "healthy" });
    expect([...json.pushed.servers].sort()).toEqual(["lab-1", "lab-2", "lab-3"]);
  });
});
