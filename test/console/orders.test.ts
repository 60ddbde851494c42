import { expect, test } from "@jest/globals";
import { ordersOf } from "../../console/orders.ts";
import type { ConsoleSettings } from "../../console/settings.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Job } from "../../lib/ports/jobs.ts";
import type { JobEnd } from "../../lib/usecases/watch/watch.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** Orders whose end the journal does not have. */

const ACCOUNT = `A${"A".repeat(55)}` as AccountId;
const job = (id: string): Job => ({ id, account: ACCOUNT, action: "verify", trigger: "manual", reason: "a test" });
const busy: JobEnd = { state: "failed", error: new RelightError("account.busy", "another job") };
const done = (more: object): JobEnd =>
  ({ state: "done", result: { outcome: "verified", verdict: { health: "dead" }, ...more } }) as unknown as JobEnd;

function ordersEnding(...ends: (JobEnd | Error)[]) {
  const asked: string[] = [];
  const order = async ({ id }: Job): Promise<JobEnd> => {
    asked.push(id);
    const end = ends.shift() ?? done({});
    if (end instanceof Error) throw end;
    return end;
  };
  const withApp = ((work: (app: object) => Promise<unknown>) =>
    work({ order })) as unknown as ConsoleSettings["withApp"];
  const log = fakeLog();
  return { orders: ordersOf({ withApp, log }, 1), asked, log };
}

test("an order waits for another job on its account, and says so", async () => {
  const { orders, asked } = ordersEnding(busy, busy, done({}));
  orders.start(job("a"));
  while (orders.noteOf("a") === undefined) await new Promise((next) => setImmediate(next));
  expect(orders.noteOf("a")).toMatchObject({ state: "waiting", text: expect.stringContaining("another job") });
  await orders.drain();
  expect(asked).toEqual(["a", "a", "a"]);
  expect(orders.noteOf("a")).toBeUndefined();
});

test("a failure is told with its advice, and one inside Relight is only logged", async () => {
  const { orders, log } = ordersEnding(new RelightError("nats.timeout", "no answer"), new Error("a bug with details"));
  orders.start(job("a"));
  await orders.drain();
  orders.start(job("b"));
  await orders.drain();
  expect(orders.noteOf("a")).toMatchObject({ state: "failed", text: expect.stringMatching(/^no answer\. \w+/) });
  expect(orders.noteOf("b")?.text).not.toContain("a bug");
  expect(JSON.stringify(log.lines)).toContain("a bug with details");
});

test("a check that another job kept out of the journal is told", async () => {
  const { orders } = ordersEnding(done({ unrecorded: "another job is working on the account" }));
  orders.start(job("a"));
  await orders.drain();
  expect(orders.noteOf("a")).toEqual({
    state: "done",
    text: "verified: the account is dead (another job is working on the account: this check is not in the journal)",
  });
});

test("orders at once, and remembered notes, are bounded", async () => {
  const gate = Promise.withResolvers<void>();
  const withApp = (() =>
    gate.promise.then(() => Promise.reject(new RelightError("nats.timeout", "x")))) as ConsoleSettings["withApp"];
  const orders = ordersOf({ withApp, log: fakeLog() }, 1);
  for (let count = 0; count < 16; count++) {
    orders.checkRoom();
    orders.start(job(`j${count}`));
  }
  expect(() => orders.checkRoom()).toThrow("too many orders");
  gate.resolve();
  await orders.drain();
  orders.checkRoom();
  for (let count = 0; count < 300; count++) orders.start(job(`k${count}`));
  await orders.drain();
  expect(orders.noteOf("j0")).toBeUndefined();
  expect(orders.noteOf("k299")).toBeDefined();
});
