import { describe, expect, test } from "@jest/globals";
import { elapsedOf, readHistory, readProgress } from "../../../lib/usecases/reports/account-history.ts";
import { expire, fill, renewByHand } from "../../support/virtual/scenes.ts";
import { APP, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/** What a console reads, from the entries of real jobs in virtual time. */

const newWorld = (settings: WorldSettings = {}) => {
  const world = virtualWorld({ version: "2.10.27", ...settings });
  fill(world);
  return world;
};

describe("an account's history", () => {
  test("has the renewal window of its last job, and no planned time where a person renews", async () => {
    for (const manual of [false, true]) {
      const world = newWorld({ policy: { manual } });
      await world.run();
      const { newest } = await readHistory(world.journal, APP.id, 100);
      if (newest?.state !== "finished") throw new Error("no job finished");
      const { opensAt = 0, closesAt = 0, renewAt, expiresAt = 0 } = newest;
      expect([opensAt, closesAt, expiresAt]).toEqual([opensAt, closesAt, expiresAt].toSorted((a, b) => a - b));
      if (manual) expect(renewAt).toBeUndefined();
      else expect(renewAt).toBeGreaterThanOrEqual(opensAt);
      if (!manual) expect(renewAt).toBeLessThanOrEqual(closesAt);
    }
  });

  test("has the page of an open incident as it was sent, and nothing once it is over", async () => {
    const world = newWorld({ mode: "look" });
    await world.run();
    expire(world);
    renewByHand(world);
    await world.run();
    const { incidents, timeline, verdict, claims, streams } = await readHistory(world.journal, APP.id, 100);
    const [page] = world.incidents;
    expect(incidents).toHaveLength(1);
    const data = incidents[0]?.last?.data["page"];
    expect(data).toMatchObject({ title: expect.stringContaining("JetStream is dead") });
    expect(JSON.stringify(data)).toContain(page?.advice[0]);
    expect(timeline[0]).toMatchObject({ kind: "outage", health: "dead" });
    expect(verdict?.data).toMatchObject({ verdict: "dead" });
    expect(claims?.sub).toBe(APP.id);
    expect(streams.map(({ name }) => name)).toEqual(["JOBS", "ORDERS"]);
  });
});

describe("the progress of an order", () => {
  test("goes from requested over running to its end, with each remedy", async () => {
    const world = newWorld();
    expire(world);
    renewByHand(world);
    const order = { action: "heal", actor: "ada", reason: "paged", correlation: "c1" };
    const at = world.now();
    await world.journal.append({ at, job: "c1", account: APP.id, kind: "job.requested", data: order });
    const requested = await readProgress(world.journal, APP.id, "c1");
    expect(requested).toMatchObject({ state: "requested", order: { actor: "ada", reason: "paged" }, requestedAt: at });
    await world.run("heal", { correlation: "c1" });
    const progress = await readProgress(world.journal, APP.id, "c1");
    expect(progress).toMatchObject({ state: "finished", outcome: "healed", verdict: { verdict: "healthy" } });
    const labels = progress.steps.map(({ label }) => label);
    expect(labels.slice(0, 2)).toEqual(["ordered", "dead"]);
    expect(labels).toContain("tried");
    expect(labels.at(-1)).toBe("healed");
    expect(elapsedOf(progress, world.now())).toBe((progress.finishedAt ?? 0) - at);
    const half = await readProgress(
      { read: async (query) => (await world.journal.read(query)).filter(({ kind }) => kind !== "job.finished") },
      APP.id,
      "c1",
    );
    expect(half.state).toBe("running");
  });

  test("of an order that nobody gave is an error", async () => {
    const world = newWorld();
    await world.run();
    await expect(readProgress(world.journal, APP.id, "c9")).rejects.toMatchObject({ code: "request.unknown" });
  });
});
