import { expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { abandonedWork } from "../../lib/compose/abandoned.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { EntryKind } from "../../lib/domain/journal/journal.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { epochMillis, type Millis, millis } from "../../lib/domain/time/time.ts";
import type { Job } from "../../lib/ports/jobs.ts";
import { fakeClock } from "../support/fakes/clock.ts";
import { fakeJournal } from "../support/fakes/journal.ts";

const account = createAccount().getPublicKey() as AccountId;
const MINUTE = 60_000;

function setUp(findsOrders = true, keeps?: Millis) {
  const clock = fakeClock();
  const journal = fakeJournal(clock);
  const queued: Job[] = [];
  let ids = 0;
  const abandoned = () =>
    abandonedWork({
      ...{ journal, clock, configured: [account], findsOrders, keeps, newId: () => `new-${++ids}` },
      enqueue: async (job) => void queued.push(job),
    });
  const write = (kind: EntryKind, job: string, data: JsonObject, ago = 0) =>
    journal.append({ at: epochMillis(clock.now() - ago), job, account, kind, data });
  const requested = (correlation: string, ago: number, more: JsonObject = {}) =>
    write("job.requested", correlation, { action: "heal", actor: "ada", reason: "stuck", correlation, ...more }, ago);
  return { queued, abandoned, write, requested };
}

test("a job that did not end is resumed with its correlation, unless another process has finished it by then", async () => {
  const { queued, abandoned, write } = setUp();
  await write("job.started", "j1", { correlation: "c1" });
  const work = abandoned();
  await work.resume();
  const [job] = queued as [Job];
  expect(job).toMatchObject({ account, correlation: "c1", trigger: "resume", action: "remediate", id: "new-1" });
  expect(await work.isWanted(job)).toBe(true);
  await write("job.finished", "j1", { outcome: "healed" });
  expect(await work.isWanted(job)).toBe(false);
});

test("an order whose job never began is carried out as it was sent; others are not", async () => {
  const { queued, abandoned, write, requested } = setUp();
  await requested("old", 61 * MINUTE);
  await requested("begun", 3 * MINUTE);
  await write("job.started", "j1", { correlation: "begun" });
  await write("job.finished", "j1", { outcome: "healthy" });
  await requested("strange", 2 * MINUTE, { action: "push" });
  await requested("lost", MINUTE, { action: "renew" });
  await abandoned().resume();
  expect(queued).toEqual([
    {
      ...{ account, action: "renew", trigger: "manual", reason: "stuck (requested by ada)" },
      ...{ correlation: "lost", id: "lost" },
    },
  ]);
});

test("where all orders can't be read cheaply, none is looked for", async () => {
  const { queued, abandoned, requested } = setUp(false);
  await requested("lost", MINUTE);
  await abandoned().resume();
  expect(queued).toEqual([]);
});

test("of two processes that have an order, the one that comes later drops it; the first may try again", async () => {
  const { queued, abandoned, write, requested } = setUp();
  await requested("o1", MINUTE);
  const [first, second] = [abandoned(), abandoned()];
  await first.resume();
  const [job] = queued as [Job];
  expect(await first.isWanted(job)).toBe(true);
  await write("job.started", "j1", { correlation: "o1" });
  expect(await second.isWanted(job)).toBe(false);
  expect(await first.isWanted(job)).toBe(true);
});

test("an order is not carried out again because the journal forgot the job", async () => {
  const { queued, abandoned, requested } = setUp(true, millis(10 * MINUTE));
  await requested("done and forgotten", 11 * MINUTE);
  await requested("lost", 9 * MINUTE);
  await abandoned().resume();
  expect(queued.map(({ id }) => id)).toEqual(["lost"]);
});
