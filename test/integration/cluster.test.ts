import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, WITH_DEFECT } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

/** In a cluster the toggle destroys streams, so it must be impossible; step-downs of leaders revive them. */
describe.each(sampleOf(["2.9.25", "2.10.27"], WITH_DEFECT))("a cluster of three (nats-server %s)", (version) => {
  test("streams and consumers with replicas are revived by step-downs: no restart, no loss", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
    await fill(world, { replicas: 3, messages: 10 });
    const healthy = await relight(world, "verify", "APP", "--json");
    expect(healthy.json).toMatchObject({ verdict: "healthy", findings: [] });
    expect(healthy.json.servers).toHaveLength(3);

    await expire(world);
    await renewByHand(world);
    const before = await snapshot(world);
    const pids = world.servers.map((server) => server.pid());
    const dead = await relight(world, "verify", "APP", "--json");
    expect(dead.json.verdict).toBe("dead");
    expect(dead.exit).toBe(2);

    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect(json.rungs).toMatchObject([{ rung: "step-down-leaders", result: "helped" }]);
    expect(exit).toBe(0);
    expect(await snapshot(world)).toEqual(before);
    expect(world.servers.map((server) => server.pid())).toEqual(pids);
    expect(await symptoms(world)).toEqual({ apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" });
  });

  test("without the account's key: every remedy is refused before anything is pushed, and a person is paged", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
    await fill(world, { replicas: 1, messages: 10 });
    await expire(world);
    await renewByHand(world);
    const before = await snapshot(world);
    const file = `${world.home}/relight.yaml`;
    await writeFile(file, (await readFile(file, "utf8")).replace(/ +signingKey: file:app.nk\n/, ""));
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "refused", verdict: "dead" });
    expect(json.rungs).toMatchObject([
      { rung: "scale-up", result: "refused", why: expect.stringMatching(/its signingKey is not configured/) },
      {
        rung: "toggle-jetstream",
        result: "refused",
        why: expect.stringMatching(/3 servers answered; in a cluster the toggle destroys/),
      },
      { rung: "restart-servers", result: "refused", why: expect.stringMatching(/no way to restart/) },
    ]);
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
    expect(json).toMatchObject({ outcome: "renewed", verdict: "healthy", findings: [] });
    expect([...json.pushed.servers].sort()).toEqual(["lab-1", "lab-2", "lab-3"]);
  });
});
