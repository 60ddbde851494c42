import { expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { epochMillis, type Millis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import type { Leases } from "../../../lib/ports/leases.ts";
import { noLongerWaits } from "../../../lib/usecases/job/waiting.ts";
import { acceptDelivery } from "../../../lib/usecases/orders/accept-delivery.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const MINUTE = 60_000;
const ACCOUNT = "A" as AccountId;
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
  const deliver = (delivery: { readonly id?: string; readonly digest?: string }, leases: Leases = journal) =>
    acceptDelivery({ ...deps, leases }, { id: "msg_1", digest: "d", account: ACCOUNT, reason: "told", ...delivery });
  const take = (leases?: Leases) => deliver({}, leases);
  /** The newest queued job begins. */
  const begin = () => noLongerWaits(journal, { account: ACCOUNT }, String(queued.at(-1)?.id));
  const pass = (minutes: number): void => {
    clock.advance(millis(minutes * MINUTE));
  };
  return { take, deliver, begin, pass, queued, state, journal };
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

test("an id that was used with another body is refused, and stays the first one's", async () => {
  const { take, deliver, queued } = newDependencies();
  await take();
  await expect(deliver({ digest: "another" })).rejects.toMatchObject({ code: "webhook.conflict", retryable: false });
  expect(await take()).toMatchObject({ outcome: "repeated" });
  expect(queued).toHaveLength(1);
});

test("300 notices about one account need one job until it begins, and then one more", async () => {
  const { deliver, begin, queued } = newDependencies();
  const storm = async (from: number): Promise<readonly string[]> => {
    const ends = [];
    for (let nth = from; nth < from + 300; nth++) ends.push((await deliver({ id: `msg_${nth}` })).outcome);
    return ends;
  };
  expect((await storm(0)).filter((outcome) => outcome === "queued")).toHaveLength(1);
  expect(queued).toHaveLength(1);
  await begin();
  expect((await storm(1_000)).filter((outcome) => outcome === "queued")).toHaveLength(1);
  expect(queued).toHaveLength(2);
  expect(await deliver({ id: "msg_299" })).toMatchObject({ outcome: "repeated" });
});

test("a waiting job that was lost swallows notices for a quarter of an hour only", async () => {
  const { take, deliver, pass } = newDependencies();
  await take();
  pass(16);
  expect(await deliver({ id: "msg_2" })).toMatchObject({ outcome: "queued" });
});
