import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { Incident } from "../../../lib/domain/incidents/incident.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { errorFields, RelightError } from "../../../lib/errors.ts";
import type { JobNotice } from "../../../lib/ports/announcer.ts";
import type { NewJob } from "../../../lib/ports/jobs.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { runJob, type Work } from "../../../lib/usecases/job/job.ts";
import type { JobEnd } from "../../../lib/usecases/job/job-end.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";
import { jobDependencies } from "../../support/job-dependencies.ts";

const A = `A${"A".repeat(55)}` as AccountId;
const START = epochMillis(Date.UTC(2030, 0, 1));
const order: NewJob = {
  account: A,
  trigger: "manual",
  reason: "a test",
  action: "heal",
  correlation: "c",
};

function newScene() {
  const clock = fakeClock(START);
  const log = fakeLog();
  const journal = fakeJournal(clock);
  const pages: Incident[] = [];
  let ids = 0;
  const context = {
    mode: { mode: "heal", because: "", dryRun: false },
    log,
    clock,
    timing: TIMING,
    journal,
    leases: journal,
    newId: () => `id-${++ids}`,
    operator: { id: "O", signingKeys: [] },
    settingsOf: () => undefined,
    escalation: { send: async (incident: Incident) => void pages.push(incident) },
  } as unknown as Context;
  const deps = jobDependencies(context);
  const counted = () => deps.measured.map(({ name, dimensions }) => [name, ...Object.values(dimensions ?? {})]);
  return { deps, log, journal, pages, counted, clock };
}

const verdict = { health: "healthy", observedAt: new Date(START).toISOString() } as const;

/** Work with this end. */
const ending =
  (fields: Partial<JobEnd>): Work<JobEnd> =>
  async () => ({ end: { account: A, outcome: "healthy", rungs: [], verdict, ...fields }, ending: {} });
const failing = (error: unknown) => () => Promise.reject(error);

describe("the end of a job", () => {
  const rungs = [{ rung: "finish-toggle", result: "helped" }];
  test.each<[string, Partial<JobEnd>, boolean]>([
    ["that only looked", { outcome: "verified" }, false],
    ["that its mode did not allow", { outcome: "looked" }, false],
    ["that found nothing to do", {}, false],
    ["that finished a crashed job's work and found a healthy account", { rungs }, true],
    ["that healed", { outcome: "healed" }, true],
    ["that renewed", { outcome: "renewed" }, true],
    ["that pushed", { outcome: "verified", pushed: {} }, true],
    ["that refused", { outcome: "refused" }, true],
    ["that had to page a person", { outcome: "escalated" }, true],
    ["that changed the key", { outcome: "rotated", pushed: {} }, true],
    ["that left a deleted account to the old key", { outcome: "deleted" }, false],
    ["that left an expired account to the old key", { outcome: "expired" }, false],
  ])("%s is counted, and announced if it changed something", async (_what, fields, expected) => {
    const { deps, counted } = newScene();
    const { outcome } = await runJob(deps, order, ending(fields));
    expect(counted()).toContainEqual(["JobsFinished", outcome]);
    const notice = { account: A, action: "heal", trigger: "manual", correlation: "c" };
    expect(deps.announced).toEqual(expected ? [{ ...notice, outcome, verdict: "healthy" }] : []);
  });

  test.each<[string, "gate.refused" | "nats.timeout", string, readonly Partial<JobNotice>[]]>([
    [
      "that a person must fix counts as an end",
      "gate.refused",
      "failed",
      [{ outcome: "failed", error: "gate.refused" }],
    ],
    ["that a retry may fix does not: the job comes again", "nats.timeout", "again", []],
  ])("an error %s", async (_what, code, outcome, expected) => {
    const { deps, counted, journal } = newScene();
    const job = runJob(deps, order, failing(new RelightError(code, "no")));
    await expect(job).rejects.toMatchObject({ code });
    expect(counted()).toEqual([["JobsFinished", outcome]]);
    expect(deps.announced).toMatchObject(expected);
    expect(journal.entries.filter(({ kind }) => kind === "job.finished")).toHaveLength(expected.length);
  });

  test("is counted without a connection, before anything began", async () => {
    const { deps, counted, journal, log } = newScene();
    const context = failing(new RelightError("nats.unreachable", "nobody answers"));
    await expect(runJob({ ...deps, context }, order, ending({}))).rejects.toMatchObject({
      code: "nats.unreachable",
    });
    expect(counted()).toEqual([["JobsFinished", "again"]]);
    expect([journal.entries, log.lines]).toEqual([[], []]);
  });

  test("that can't be announced is logged, and the job still ends", async () => {
    const { deps, log } = newScene();
    const announcer = { jobFinished: failing(new RelightError("events.unavailable", "throttled")) };
    expect(await runJob({ ...deps, announcer }, order, ending({ outcome: "healed" }))).toMatchObject({
      outcome: "healed",
    });
    expect(log.lines.filter(({ level }) => level === "error")).toMatchObject([
      { data: { error: { code: "events.unavailable" } } },
    ]);
  });

  test("is not announced without a bus", async () => {
    const { announcer: _none, ...deps } = newScene().deps;
    expect(await runJob(deps, order, ending({ outcome: "healed" }))).toMatchObject({ outcome: "healed" });
  });
});

describe("the correlation of a job", () => {
  test("every log line has its trigger's id, from the beginning to the end", async () => {
    const { deps, log, clock, journal } = newScene();
    const result = await runJob(deps, order, async (context, job) => {
      clock.advance(millis(1_500));
      context.log.warn("renewing", { why: "due" });
      const unwellSince = new Date(START - 60_000).toISOString();
      const end = { account: A, outcome: "healed", rungs: [], verdict, unwellSince };
      return { end: { ...end, of: [context.correlation, job.account] }, ending: { verdict: "healthy" } };
    });
    expect(result).toMatchObject({ outcome: "healed", correlation: "c", of: ["c", A] });
    expect(result).not.toHaveProperty("ending");
    const tie = { correlation: "c", account: A };
    const began = { ...tie, action: "heal", trigger: "manual", reason: "a test" };
    const ended = { ...tie, outcome: "healed", recoverSeconds: 61.5, action: "heal", tookMs: 1_500 };
    expect(log.lines).toEqual([
      { level: "info", message: "a job began", data: began },
      { level: "warn", message: "renewing", data: { ...tie, why: "due" } },
      { level: "info", message: "a job ended", data: ended },
    ]);
    expect(journal.entries).toMatchObject([
      { kind: "job.started", data: { correlation: "c", action: "heal", reason: "a test" } },
      { kind: "job.finished", data: { correlation: "c", outcome: "healed", verdict: "healthy" } },
    ]);
  });

  test.each<[string, Partial<NewJob>, string]>([
    ["a message of an older version is found by its own id", { id: "sweep/A" }, "sweep/A"],
    ["a person's command by a new one", {}, "id-1"],
  ])("%s", async (_what, fields, expected) => {
    const { correlation: _none, ...plain } = order;
    const { deps } = newScene();
    expect((await runJob(deps, { ...plain, ...fields }, ending({}))).correlation).toBe(expected);
  });

  test.each([
    ["push.rejected", "error"],
    ["account.busy", "info"],
  ] as const)("a job that ends with %s is logged once, as %s", async (code, level) => {
    const { deps, log } = newScene();
    const error = new RelightError(code, "it is so");
    await expect(runJob(deps, order, failing(error))).rejects.toBe(error);
    expect(log.lines.at(-1)).toMatchObject({
      level,
      message: "a job failed",
      data: { outcome: "failed", error: { code, message: "it is so" } },
    });
    expect(errorFields(error)).toEqual({ error: { code } });
  });

  test.each([new Error("a bug"), "a text", undefined])("any thrown value can be logged: %s", (thrown) => {
    expect(errorFields(thrown)).toMatchObject({ error: { code: "internal" } });
  });
});

describe("one job per account", () => {
  test("holds the lease while it works, and releases it if it fails", async () => {
    const { deps, journal } = newScene();
    const held = async (): Promise<never> => {
      await expect(runJob(deps, order, ending({}))).rejects.toMatchObject({ code: "account.busy" });
      throw new RelightError("gate.refused", "no");
    };
    await expect(runJob(deps, order, held)).rejects.toMatchObject({ code: "gate.refused" });
    expect(journal.leases.size).toBe(0);
    expect(await runJob(deps, order, ending({}))).toMatchObject({ outcome: "healthy" });
  });

  test("restores a deleted account only for a person", async () => {
    const undelete = { ...order, undelete: true } as const;
    for (const [trigger, expected] of [
      ["manual", true],
      ["webhook", undefined],
    ] as const) {
      const { deps } = newScene();
      const asked = runJob(deps, { ...undelete, trigger }, async (context, job) => {
        expect(job.undelete).toBe(expected);
        return ending({})(context, job);
      });
      await asked;
    }
  });
});
