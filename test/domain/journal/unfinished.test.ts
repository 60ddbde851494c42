import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { outcomeOfUnfinished, unfinishedWork } from "../../../lib/domain/journal/unfinished.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";

const A = `A${"A".repeat(55)}` as AccountId;
type Written = readonly [job: string, kind: EntryKind, data?: JsonObject];

const workOf = (...written: readonly Written[]) =>
  unfinishedWork(
    written.map(([job, kind, data = {}], at): JournalEntry => {
      return { at: epochMillis(at), job, account: A, kind, data };
    }),
    "now",
  );

const RUNG = { rung: "step-down-leaders", why: "deaf" };
const began = (job: string): Written => [job, "rung.started", RUNG];
const ended = (job: string, result: string): Written => [job, "rung.finished", { ...RUNG, result }];
const pushed = (job: string, purpose: string, jti = purpose): Written => [
  ...([job, "push.started"] as const),
  { purpose, jwt: { jti, iss: "O", iat: 1, exp: 2 }, changes: [] },
];
const proved = (job: string, jti: string): Written => [job, "push.proved", { jti, servers: ["n1"] }];
const saw = (job: string, verdict: string): Written => [job, "verdict", { verdict }];

describe("what unfinished jobs left", () => {
  test.each<[string, readonly Written[], object]>([
    ["nothing, without a job", [], { rungs: [], pushes: [], wasUnhealthy: false }],
    [
      "nothing from a job that ended",
      [saw("1", "dead"), began("1"), ["1", "job.finished"]],
      { rungs: [], pushes: [], wasUnhealthy: false },
    ],
    ["nothing from the current job", [saw("now", "dead"), began("now")], { rungs: [], wasUnhealthy: false }],
    ["a rung without an end", [saw("1", "dead"), began("1")], { rungs: [{ ...RUNG, job: "1" }], wasUnhealthy: true }],
    ["a rung with its end", [began("1"), ended("1", "helped")], { rungs: [{ ...RUNG, job: "1", result: "helped" }] }],
    [
      "of two jobs: the second closed what the first began, and began it again",
      [began("1"), ended("2", "failed"), began("2")],
      {
        rungs: [
          { ...RUNG, job: "1", result: "failed" },
          { ...RUNG, job: "2" },
        ],
      },
    ],
    [
      "a push and its proof, in another job",
      [pushed("1", "renewal"), proved("2", "renewal")],
      { pushes: [{ purpose: "renewal", job: "1", servers: ["n1"] }] },
    ],
    ["no push that is a rung's", [pushed("1", "JetStream off"), pushed("1", "push again")], { pushes: [] }],
  ])("%s", (_what, written, expected) => {
    expect(workOf(...written)).toMatchObject(expected);
  });

  test.each<[string, readonly Written[], string | undefined]>([
    ["healed, by a rung", [saw("1", "dead"), began("1")], "healed"],
    ["healed, by renewing an unhealthy account", [saw("1", "dead"), pushed("1", "renewal")], "healed"],
    ["healed, by the source's claims", [saw("1", "degraded"), pushed("1", "from the source of truth")], "healed"],
    ["renewed, of a healthy account", [saw("1", "healthy"), pushed("1", "renewal")], "renewed"],
    ["pushed, a delivered JWT", [saw("1", "dead"), pushed("1", "delivered")], "pushed"],
    ["nothing, if the job only looked", [saw("1", "dead")], undefined],
  ])("%s", (_what, written, outcome) => {
    const work = workOf(...written);
    expect(outcomeOfUnfinished(work, work.pushes.at(-1))).toBe(outcome);
  });

  test("nothing, from a push that is not in force", () => {
    expect(outcomeOfUnfinished(workOf(saw("1", "dead"), pushed("1", "renewal")), undefined)).toBeUndefined();
  });
});
