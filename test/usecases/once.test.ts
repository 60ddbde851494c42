import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../lib/domain/time/time.ts";
import { APP, START, virtualWorld } from "../support/virtual/world.ts";

/** One account, one job at a time: a repetition changes nothing twice. */

const newWorld = () =>
  virtualWorld({ accounts: [{ ...APP, exp: toSeconds(START) + 86_400 }], hasSystemAccount: false });
const pushes = ({ machines }: ReturnType<typeof newWorld>): number => machines.pushes.length;

describe("nothing is done twice", () => {
  test("by two overlapping sweeps, whether their jobs overlap or follow each other", async () => {
    for (const meet of [true, false]) {
      const world = newWorld();
      await Promise.all([world.sweep(), world.sweep()]);
      const jobs = world.queue.splice(0);
      expect(jobs).toHaveLength(2);
      const ends = meet ? await Promise.all(jobs.map(world.work)) : [];
      if (!meet) for (const job of jobs) ends.push(await world.work(job));
      expect(ends.sort()).toEqual(meet ? ["account.busy", "renewed"] : ["healthy", "renewed"]);
      expect(pushes(world)).toBe(1);
    }
  });

  test("by a queue message that is redelivered, at once or an hour later", async () => {
    const world = newWorld();
    await world.sweep();
    const [job] = world.queue.splice(0);
    if (job === undefined) throw new Error("nothing was queued");
    expect(await world.work(job)).toBe("renewed");
    expect(await world.work(job)).toBe("healthy");
    world.advance(3_600_000);
    expect(await world.work(job)).toBe("healthy");
    expect(pushes(world)).toBe(1);
  });

  test("by a repeated webhook, while its job waits or afterwards, nor by its job", async () => {
    const world = newWorld();
    const token = world.issue(APP);
    const delivery = { id: "hook-1", digest: "1", account: APP.id, token, reason: "issued" };
    const [first, atOnce] = await Promise.allSettled([world.deliver(delivery), world.deliver(delivery)]);
    expect(first).toMatchObject({ value: { outcome: "queued" } });
    // It is unknown whether the first is queued: the sender tries again.
    expect(atOnce).toMatchObject({ reason: { code: "webhook.busy", retryable: true } });
    expect((await world.deliver(delivery)).outcome).toBe("repeated");
    const [job, ...others] = world.queue.splice(0);
    if (job === undefined) throw new Error("nothing was queued");
    expect(others).toEqual([]);
    expect(await world.work(job)).toBe("pushed");
    expect(await world.work(job)).toBe("pushed");
    expect(world.incidents.filter(({ failureClass }) => failureClass === "push_refused")).toEqual([]);
    expect((await world.deliver(delivery)).outcome).toBe("repeated");
    expect(pushes(world)).toBe(1);
  });

  test("by an issuer that sends the same JWT under another id", async () => {
    const world = newWorld();
    const token = world.issue(APP);
    for (const id of ["hook-1", "hook-2"])
      await world.deliver({ id, digest: id, account: APP.id, token, reason: "issued" });
    const ends = [];
    for (const job of world.queue.splice(0)) ends.push(await world.work(job));
    expect(ends).toEqual(["pushed"]);
    await world.deliver({ id: "hook-3", digest: "3", account: APP.id, token, reason: "issued" });
    for (const job of world.queue.splice(0)) ends.push(await world.work(job));
    expect(ends).toEqual(["pushed", "pushed"]);
    expect(pushes(world)).toBe(1);
  });
});
