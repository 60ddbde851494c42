import { expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError, told } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import type { Context } from "../../../lib/usecases/job/context.ts";
import { measuredJob, measuredSweep } from "../../../lib/usecases/job/measured.ts";
import { tracedPort } from "../../../lib/usecases/job/traced-port.ts";
import { follow, logWith } from "../../../lib/usecases/journal/follow.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const A = `A${"A".repeat(55)}` as AccountId;
const START = epochMillis(Date.UTC(2030, 0, 1));

function newContext() {
  const log = fakeLog();
  const clock = fakeClock(START);
  const context = { log, clock } as unknown as Context;
  return { context, log, pass: clock.advance };
}

const job = (fields: Partial<Job> = {}): Job => ({
  account: A,
  trigger: "schedule",
  reason: "a test",
  action: "remediate",
  id: "sweep/A",
  ...fields,
});

test("every line of a job carries its trigger's id, from the beginning to the end", async () => {
  const { context, log, pass } = newContext();
  const result = await follow(context, job({ correlation: "sweep" }), async (inner) => {
    pass(millis(1_500));
    inner.log.warn("renewing", { why: "due" });
    return { outcome: "healed", unwellSince: new Date(START - 60_000).toISOString(), of: inner.correlation };
  });
  expect(result).toMatchObject({ outcome: "healed", correlation: "sweep", of: "sweep" });
  const tie = { correlation: "sweep", account: A };
  expect(log.lines).toEqual([
    {
      level: "info",
      message: "a job began",
      data: { ...tie, action: "remediate", trigger: "schedule", reason: "a test" },
    },
    { level: "warn", message: "renewing", data: { ...tie, why: "due" } },
    {
      level: "info",
      message: "a job ended",
      data: { ...tie, outcome: "healed", recoverSeconds: 61.5, action: "remediate", tookMs: 1_500 },
    },
  ]);
});

test("a job of an older version is followed by its own id", async () => {
  const { context } = newContext();
  const result = await follow(context, job(), async () => ({ outcome: "healthy" }));
  expect(result.correlation).toBe("sweep/A");
});

test.each([
  ["push.rejected", "error"],
  ["account.busy", "info"],
] as const)("a job that ends with %s is told once, as %s", async (code, level) => {
  const { context, log } = newContext();
  const error = new RelightError(code, "it is so");
  await expect(follow(context, job(), () => Promise.reject(error))).rejects.toBe(error);
  expect(log.lines.at(-1)).toMatchObject({
    level,
    message: "a job failed",
    data: { outcome: "failed", error: { code, message: "it is so" } },
  });
  expect(told(error)).toEqual({ error: { code } });
});

test.each([new Error("a bug"), "a text", undefined])("whatever is thrown can be told: %s", (thrown) => {
  expect(told(thrown)).toMatchObject({ error: { code: "internal" } });
});

test("a line's own fields win over those of all lines", () => {
  const log = fakeLog();
  logWith(log, { account: "-" }).error("lost", { account: A });
  expect(log.lines).toEqual([{ level: "error", message: "lost", data: { account: A } }]);
});

test("a sweep or a job that fails is not measured as one that ended", async () => {
  const emitted: string[] = [];
  const meter = {
    metrics: {
      emit: (list: readonly { name: string }[]) => void emitted.push(...list.map(({ name }) => name)),
    },
    clock: fakeClock(START),
  };
  const error = new RelightError("nats.timeout", "nobody answers");
  await expect(measuredSweep(meter, () => Promise.reject(error))).rejects.toBe(error);
  expect(emitted).toEqual([]);
  await expect(measuredJob(meter, () => Promise.reject(error))).rejects.toBe(error);
  expect(emitted).toEqual(["JobsFinished"]);
});

test("of a port only what is named is a step, and it stays what it is", async () => {
  const steps: string[] = [];
  const port = {
    count: 0,
    async add(by: number): Promise<number> {
      this.count += by;
      return this.count;
    },
    kept: (): string => "as it is",
  };
  const tracer = {
    step: <T>(name: string, work: () => Promise<T>): Promise<T> => {
      steps.push(name);
      return work();
    },
    [Symbol.asyncDispose]: async () => {},
  };
  const traced = tracedPort(tracer, port, { add: "adding" });
  expect([await traced.add(2), traced.kept(), port.count]).toEqual([2, "as it is", 2]);
  expect(steps).toEqual(["adding"]);
});
