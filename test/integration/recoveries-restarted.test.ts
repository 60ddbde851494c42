import { expect, test } from "@jest/globals";
import { restartWhileExpired, snapshot } from "../../lab/scenario.ts";
import type { World } from "../../lab/world.ts";
import { assertZooWorks, configurations } from "../../lab/zoo.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { allowRestarts, assertNoPanic, withoutMemory, zoo } from "../support/zoo.ts";

/** Like recoveries-cluster.test.ts, after a restart of all servers while the account was expired. */

test.each(["2.9.25", "2.15.2"])(
  "restarted while expired, on nats-server %s: found although $JS.API.INFO says OK, healed by a touch, all or all but one server",
  async (version) => {
    await using world = await zoo(version);
    const [state, before] = [await snapshot(world), await configurations(world)];
    await restartWhileExpired(world);
    const pids = world.servers.map((server) => server.pid());
    const dead = await relight(world, "verify", "APP", "--json");
    expect(dead.json.verdict).toBe("dead");
    expect(dead.json.findings.map(({ code }: { code: string }) => code)).toContain("stream.node_missing");
    expect(dead.json.diagnosis.join()).toMatch(/restarted while the account was expired/);

    const touched = await relight(world, "heal", "APP", "--json");
    const works = { verdict: "healthy", findings: [] };
    expect(world.servers.map((server) => server.pid())).toEqual(pids);
    await using stop = new AsyncDisposableStack();
    if (touched.json.verdict === "healthy") expect(touched.json).toMatchObject({ outcome: "healed", ...works });
    else {
      // A server with useless subscriptions: everything that it led was moved away, and it must be restarted.
      const [deaf, ...others] = deafServers(touched.json);
      expect(others).toEqual([]);
      stop.use(await allowRestarts(world));
      expect((await relight(world, "heal", "APP", "--json")).json).toMatchObject({
        outcome: "healed",
        ...works,
      });
      expect(await restartedServers(world)).toEqual([deaf]);
    }
    expect(withoutMemory(await snapshot(world))).toEqual(withoutMemory(state));
    expect(await configurations(world)).toEqual(before);
    await assertNoPanic(world);
    await assertZooWorks(world);
    const row = { damage: "restarted while expired", topology: "cluster of three", version };
    const seen = { ...row, rungs: rungsUsed(touched), result: "all alive, at most one server restarted" };
    expect(seen).toEqual(await recorded(seen));
    // Up to three rungs wait for elections, twice.
  },
  900_000,
);

// biome-ignore lint/suspicious/noExplicitAny: what the command printed
function deafServers({ findings }: any): readonly string[] {
  const codes = new Set(findings.map(({ code }: { code: string }) => code));
  codes.delete("stream.stalled");
  // Sometimes a consumer there is deaf until the restart, too.
  codes.delete("consumer.deaf");
  expect([...codes]).toEqual(["stream.direct_partly_deaf"]);
  const deaf = findings.flatMap((found: { evidence: { deafOn?: readonly string[] } }) => found.evidence.deafOn);
  return [...new Set<string>(deaf.filter((name: string | undefined) => name !== undefined))];
}

async function restartedServers(world: World): Promise<readonly string[]> {
  const { entries } = (await relight(world, "journal", "--json", "--limit", "1000")).json;
  return entries
    .filter(({ kind }: { kind: string }) => kind === "restart.opened")
    .map(({ data }: { data: { server: string } }) => data.server);
}
