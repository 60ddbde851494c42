import { expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { epochMillis, type Millis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import type { Leases } from "../../../lib/ports/leases.ts";
import { acceptDelivery } from "../../../lib/usecases/orders/accept-delivery.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const MINUTE = 60_000;
const unneeded = (): never => {
  throw new Error("nobody needs this for a notice without a JWT");
};

function newDependencies() {
  let ids = 0;
  const clock = fakeClock(epochMillis(1_900_000_000_000));
  const journal = fakeJournal(clock);
  const queued: Job[] = [];
  const state = { isDown: false, isStuck: false };
  const enqueue = async (job: Job): Promise<void> => {
    if (state.isDown) throw new RelightError("queue.unavailable", "the queue is down");
    if (state.isStuck) await new Promise(() => undefined);
    queued.push(job);
  };
  const codec = { decode: unneeded } as unknown as Parameters<typeof acceptDelivery>[0]["codec"];
  const deps = {
    newId: () => `id-${++ids}`,
    clock,
    log: fakeLog(),
    jobs: { enqueue },
    codec,
    operator: unneeded,
  };
  const take = (leases: Leases = journal) =>
    acceptDelivery({ ...deps, leases }, { id: "msg_1", account: "A" as AccountId, reason: "told" });
  const pass = (minutes: number): void => {
    clock.advance(millis(minutes * MINUTE));
  };
  return { take, pass, queued, state, journal };
}

test("a delivery is queued once, for as long as a sender repeats it", async () => {
  const { take, pass, queued } = newDependencies();
  expect(await take()).toMatchObject({ outcome: "queued" });
  expect(await take()).toMatchObject({ outcome: "repeated" });
  pass(3 * 24 * 60);
  expect(await take()).toMatchObject({ outcome: "repeated" });
  expect(queued).toHaveLength(1);
});

test("what could not be queued is accepted when it is repeated", async () => {
  const { take, queued, state } = newDependencies();
  state.isDown = true;
  await expect(take()).rejects.toMatchObject({ code: "queue.unavailable" });
  state.isDown = false;
  expect(await take()).toMatchObject({ outcome: "queued" });
  expect(queued).toHaveLength(1);
});

test("a crash before queueing makes the sender repeat, and loses nothing", async () => {
  const { take, pass, queued, state } = newDependencies();
  state.isStuck = true;
  void take();
  await expect(take()).rejects.toMatchObject({ code: "webhook.busy", retryable: true });
  state.isStuck = false;
  pass(3);
  expect(await take()).toMatchObject({ outcome: "queued" });
  expect(queued).toHaveLength(1);
});

test("a journal failure after queueing is no failure of the delivery", async () => {
  const { take, queued, journal } = newDependencies();
  const isForgetful: Leases = {
    acquire: (key: string, holder: string, lasts: Millis) =>
      queued.length === 0 ? journal.acquire(key, holder, lasts) : Promise.reject(new Error("throttled")),
    release: () => Promise.reject(new Error("throttled")),
    heldUntil: () => Promise.reject(new Error("throttled")),
  };
  expect(await take(isForgetful)).toMatchObject({ outcome: "queued" });
  expect(queued).toHaveLength(1);
});
