import { expect, test } from "@jest/globals";
import { orderQueue } from "../../lib/compose/order-queue.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { type ErrorCode, RelightError } from "../../lib/errors.ts";
import type { Job } from "../../lib/ports/jobs.ts";
import { fakeClock } from "../support/fakes/clock.ts";
import { fakeLog } from "../support/fakes/log.ts";

const order = (more: Partial<Job> = {}): Job => {
  const account = "A" as AccountId;
  return { account, trigger: "manual", reason: "a test", action: "heal", id: "o1", ...more };
};

/** A queue whose jobs end with these errors, one after another, and then succeed. */
function queueOf(...errors: readonly ErrorCode[]) {
  const [left, stop, clock, log] = [[...errors], new AbortController(), fakeClock(), fakeLog()];
  let runs = 0;
  const run = async (): Promise<void> => {
    runs += 1;
    const code = left.shift();
    if (code !== undefined) throw new RelightError(code, "a test");
  };
  const queue = orderQueue({ run, clock, log, signal: stop.signal });
  return { ...queue, runs: () => runs, stop, log, clock };
}

test("an order is queued at once, and tried again while that may help", async () => {
  const queue = queueOf("account.busy", "nats.timeout");
  await queue.enqueue(order());
  expect(queue.runs()).toBeLessThan(2);
  await queue.drain();
  expect(queue.runs()).toBe(3);
});

test("it is tried for longer than a crashed job's lease lasts, and then given up", async () => {
  const queue = queueOf(...Array.from({ length: 20 }, () => "account.busy" as const));
  const before = queue.clock.monotonic();
  await queue.enqueue(order());
  await queue.drain();
  expect(queue.runs()).toBe(6);
  expect(queue.clock.monotonic() - before).toBeGreaterThan(35_000);
  expect(queue.log.lines.at(-1)).toMatchObject({ level: "error", message: "an order failed" });
});

test("what no retry fixes is not tried again", async () => {
  const queue = queueOf("gate.refused");
  await queue.enqueue(order());
  await queue.drain();
  expect(queue.runs()).toBe(1);
});

test("a delivered JWT is taken when its job has ended; the issuer repeats what a retry may fix", async () => {
  const push = order({ action: "push", token: "eyJ…", trigger: "webhook" });
  await expect(queueOf("account.busy").enqueue(push)).rejects.toMatchObject({ code: "account.busy" });
  const [refused, taken] = [queueOf("gate.refused"), queueOf()];
  await refused.enqueue(push);
  await Promise.all([taken.enqueue(push), taken.enqueue(push)]);
  expect([refused.runs(), taken.runs()]).toEqual([1, 1]);
});

test("once the process ends, no order is taken, begun or tried again", async () => {
  const queue = queueOf("account.busy", "account.busy");
  await queue.enqueue(order());
  queue.stop.abort();
  await queue.drain();
  expect(queue.runs()).toBe(1);
  await expect(queue.enqueue(order({ id: "o2" }))).rejects.toMatchObject({ code: "interrupted" });
});
