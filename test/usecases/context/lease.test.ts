import { describe, expect, test } from "@jest/globals";
import { type Millis, millis } from "../../../lib/domain/time/time.ts";
import type { Leases } from "../../../lib/ports/leases.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { type LeaseKey, withLease } from "../../../lib/usecases/context/lease.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const KEY = "account/A";
const SECOND = 1_000;

/** Leases on their own clock, and what is done with them. */
function newDependencies(changes: Partial<Context> = {}) {
  const clock = fakeClock();
  const [leases, log] = [fakeJournal(clock), fakeLog()];
  const settingsOf = () => undefined;
  const context = { clock, leases, log, timing: TIMING, settingsOf, ...changes } as unknown as Context;
  const seconds = (): number => clock.monotonic() / SECOND;
  const isFree = (key: LeaseKey = KEY) => leases.acquire(key, "somebody else", millis(0));
  const sleep = (time: number): Promise<void> => clock.sleep(millis(time * SECOND));
  return { context, leases, log, seconds, isFree, sleep };
}

const nothing = async (): Promise<void> => undefined;

describe("a busy account", () => {
  /** The result of work while another holds the lease for so long, and after how many seconds. */
  async function outcome(lasts: Millis, changes: Partial<Context>, key: LeaseKey = KEY) {
    const { context, leases, seconds } = newDependencies(changes);
    await leases.acquire(key, "another", lasts);
    const end = await withLease(context, key, "me", async () => "done").catch(({ code }) => code);
    return [end, seconds()];
  }
  const waits = { waitsWhileBusy: TIMING.busy.timeout };

  test("is awaited until a crashed holder's lease ends", async () => {
    expect(await outcome(TIMING.leaseLasts, waits)).toEqual(["done", 30]);
  });

  test("is given up at the timeout", async () => {
    expect(await outcome(millis(3_600_000), waits)).toEqual(["account.busy", 35]);
  });

  test("is not awaited by default", async () => {
    expect(await outcome(TIMING.leaseLasts, {})).toEqual(["account.busy", 0]);
  });

  test("is awaited until somebody asks to stop", async () => {
    const { context, leases, seconds, sleep } = newDependencies();
    const stop = new AbortController();
    await leases.acquire(KEY, "another", TIMING.leaseLasts);
    const waiting = withLease({ ...context, ...waits, signal: stop.signal }, KEY, "me", nothing);
    void sleep(12.5).then(() => stop.abort());
    await expect(waiting).rejects.toMatchObject({ code: "account.busy" });
    expect(seconds()).toBe(12.5);
  });

  test("is awaited; other restarts never are", async () => {
    expect(await outcome(TIMING.leaseLasts, waits, "restarts")).toEqual(["restart.busy", 0]);
  });
});

describe("a lease", () => {
  test("is held while the work runs, then released", async () => {
    const { context, isFree, sleep, log } = newDependencies();
    const free: boolean[] = [];
    await withLease(context, KEY, "me", async (lost) => {
      for (let minute = 0; minute < 5; minute++) {
        await sleep(60);
        free.push(await isFree());
      }
      expect(lost.aborted).toBe(false);
    });
    expect({ free, after: await isFree() }).toEqual({ free: Array(5).fill(false), after: true });
    expect(log.lines).toEqual([]);
  });

  test("is released if the work fails, too", async () => {
    const { context, isFree } = newDependencies();
    const work = (): Promise<never> => Promise.reject(new Error("the work's own"));
    await expect(withLease(context, KEY, "me", work)).rejects.toThrow("the work's own");
    expect(await isFree()).toBe(true);
  });

  test("that was lost stops the work", async () => {
    const { context, leases, sleep, log } = newDependencies();
    await withLease(context, KEY, "me", async (lost) => {
      await leases.release(KEY, "me");
      await leases.acquire(KEY, "another", millis(3_600_000));
      expect(lost.aborted).toBe(false);
      await sleep(10.1);
      expect(lost.aborted).toBe(true);
    });
    expect(log.lines).toContainEqual({
      level: "error",
      message: "a lease was lost",
      data: { key: KEY },
    });
  });

  /** Leases whose nth answer differs from the journal's. */
  function answering(leases: Leases, nth: number, answer: () => Promise<boolean>): Leases {
    let asked = 0;
    const acquire: Leases["acquire"] = (...order) => (++asked === nth ? answer() : leases.acquire(...order));
    return { ...leases, acquire };
  }

  test("survives a failed heartbeat", async () => {
    const { context, leases, isFree, sleep, log } = newDependencies();
    const fails = answering(leases, 2, () => Promise.reject(new Error("no answer")));
    await withLease({ ...context, leases: fails }, KEY, "me", async (lost) => {
      await sleep(60);
      expect({ lost: lost.aborted, free: await isFree() }).toEqual({ lost: false, free: false });
    });
    expect(log.lines.map(({ message }) => message)).toEqual(["a lease could not be renewed"]);
  });

  test("is not taken again by a late heartbeat after the work", async () => {
    const { context, leases, isFree, sleep } = newDependencies();
    const late = answering(leases, 2, async () => {
      await sleep(5);
      return leases.acquire(KEY, "me", TIMING.leaseLasts);
    });
    await withLease({ ...context, leases: late }, KEY, "me", () => sleep(12));
    await sleep(5);
    expect(await isFree()).toBe(true);
  });

  test("is kept while one heartbeat hangs, by the next", async () => {
    const { context, leases, isFree, sleep } = newDependencies();
    const hangs = answering(leases, 2, async () => {
      await sleep(55);
      return true;
    });
    await withLease({ ...context, leases: hangs }, KEY, "me", async () => {
      await sleep(60);
      expect(await isFree()).toBe(false);
    });
  });
});
