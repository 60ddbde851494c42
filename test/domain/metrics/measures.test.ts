import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { lastOutage } from "../../../lib/domain/journal/last-outage.ts";
import { METRICS } from "../../../lib/domain/metrics/catalogue.ts";
import {
  isWanted,
  type JobFacts,
  type Measurement,
  measuresOfFailedJob,
  measuresOfJob,
  measuresOfMessage,
  measuresOfPage,
  measuresOfSweep,
  type SweepFacts,
} from "../../../lib/domain/metrics/measures.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";

const A = `A${"A".repeat(55)}` as AccountId;
const NOW = epochMillis(Date.UTC(2030, 0, 1));
const ago = (seconds: number): string => new Date(NOW - seconds * 1_000).toISOString();

const short = ({ name, value, dimensions = {}, highResolution }: Measurement): string => {
  const named = Object.values(dimensions).map((dimension) => (dimension === A ? "A" : dimension));
  return `${name}${named.length > 0 ? `[${named.join()}]` : ""} ${value}${highResolution === true ? "!" : ""}`;
};

const job = (fields: Partial<JobFacts> = {}): JobFacts => ({
  account: A,
  outcome: "healthy",
  rungs: [],
  verdict: { health: "healthy", observedAt: ago(0) },
  ...fields,
});

test.each<[string, Partial<JobFacts>, string[]]>([
  ["that found nothing to do", {}, ["JobsFinished[healthy] 1", "Verdicts[healthy] 1"]],
  [
    "that healed by two rungs, of which one failed",
    {
      outcome: "healed",
      rungs: [
        { rung: "step-down", result: "failed" },
        { rung: "toggle-jetstream", result: "helped" },
      ],
      unwellSince: ago(90),
    },
    [
      ...["JobsFinished[healed] 1", "Verdicts[healthy] 1", "RungsUsed[step-down] 1"],
      ...["RungsUsed[toggle-jetstream] 1", "TimeToRecoverSeconds 90"],
    ],
  ],
  [
    "that was refused every rung",
    {
      outcome: "refused",
      rungs: [{ rung: "restart", result: "refused" }],
      verdict: { health: "dead", observedAt: ago(0) },
    },
    ["JobsFinished[refused] 1", "Verdicts[dead] 1"],
  ],
  [
    "that renewed an account which was well",
    { outcome: "renewed", rungs: [{ rung: "renew", result: "helped" }] },
    ["JobsFinished[renewed] 1", "Verdicts[healthy] 1", "RungsUsed[renew] 1", "Renewals 1"],
  ],
  [
    "that a person asked to renew",
    { outcome: "renewed" },
    ["JobsFinished[renewed] 1", "Verdicts[healthy] 1", "Renewals 1"],
  ],
  [
    "whose renewal was in force and did not revive",
    { outcome: "escalated", rungs: [{ rung: "renew", result: "no_effect" }] },
    ["JobsFinished[escalated] 1", "Verdicts[healthy] 1", "RungsUsed[renew] 1", "Renewals 1"],
  ],
  [
    "whose renewal failed",
    { outcome: "escalated", rungs: [{ rung: "renew", result: "failed" }] },
    ["JobsFinished[escalated] 1", "Verdicts[healthy] 1", "RungsUsed[renew] 1"],
  ],
  [
    "on an account that expires",
    { expiresAt: ago(-3_600) },
    ["JobsFinished[healthy] 1", "Verdicts[healthy] 1", "SecondsUntilExpiry[A] 3600"],
  ],
  [
    "on a critical account that has expired",
    { expiresAt: ago(60), critical: true },
    ["JobsFinished[healthy] 1", "Verdicts[healthy] 1", "SecondsUntilExpiry[A] -60!"],
  ],
  ["with a time that is none", { expiresAt: "soon" }, ["JobsFinished[healthy] 1", "Verdicts[healthy] 1"]],
])("a job %s", (_what, fields, expected) => {
  expect(measuresOfJob(job(fields), NOW).map(short)).toEqual(expected);
});

test.each([
  [true, "JobsFinished[again] 1"],
  [false, "JobsFinished[failed] 1"],
])("a failed job that may be retried: %s", (retryable, expected) => {
  expect(measuresOfFailedJob({ retryable }).map(short)).toEqual([expected]);
});

test.each<[string, SweepFacts, string[]]>([
  ["that knows nothing but what it queued", { queued: 0 }, ["SweepFinished 1", "JobsQueued 0"]],
  [
    "that knows all",
    {
      seen: 9,
      queued: 3,
      postponed: 1,
      pastPage: 0,
      oldestUnverified: millis(600_000),
      soonestExpiry: epochMillis(NOW + 86_400_000),
    },
    [
      ...["SweepFinished 1", "AccountsSeen 9", "JobsQueued 3", "JobsPostponed 1", "AccountsPastPage 0"],
      ...["OldestUnverifiedSeconds 600", "SecondsUntilExpiry 86400"],
    ],
  ],
  ["of a cluster without accounts", { seen: 0, queued: 0 }, ["SweepFinished 1", "AccountsSeen 0", "JobsQueued 0"]],
])("a sweep %s", (_what, facts, expected) => {
  expect(measuresOfSweep(facts, NOW).map(short)).toEqual(expected);
});

test.each<[string, "open" | "resolved", boolean, "delivered" | "undeliverable", string[]]>([
  ["the first of its incident", "open", true, "delivered", ["IncidentsOpened 1"]],
  ["the first, to nobody", "open", true, "undeliverable", ["IncidentsOpened 1", "EscalationUndeliverable 1"]],
  ["a repetition", "open", false, "delivered", []],
  ["a repetition, to nobody", "open", false, "undeliverable", ["EscalationUndeliverable 1"]],
  ["a resolution", "resolved", false, "delivered", ["IncidentsResolved 1"]],
  ["a resolution, to nobody", "resolved", false, "undeliverable", ["EscalationUndeliverable 1"]],
])("a page: %s", (_what, status, isFirst, delivery, expected) => {
  expect(measuresOfPage({ status, ...(isFirst ? { first: true } : {}) }, delivery).map(short)).toEqual(expected);
});

test.each([
  [2_500, "QueueAgeSeconds 2.5"],
  [-3, "QueueAgeSeconds 0"],
])("a message sent %i ms ago", (age, expected) => {
  expect(measuresOfMessage(epochMillis(NOW - age), NOW).map(short)).toEqual([expected]);
});

test("a message without a send time has no age", () => {
  expect(measuresOfMessage(epochMillis(Number.NaN), NOW)).toEqual([]);
});

describe("the time until one account's expiry", () => {
  const of = (highResolution: boolean) =>
    ({ name: "SecondsUntilExpiry", value: 1, dimensions: { Account: A }, highResolution }) as const;
  test.each([
    ["critical", true, true],
    ["critical", false, false],
    ["all", false, true],
    ["none", true, false],
  ] as const)("perAccount: %s, critical: %s", (perAccount, critical, wanted) => {
    expect(isWanted(of(critical), perAccount)).toBe(wanted);
    expect(isWanted({ name: "SecondsUntilExpiry", value: 1 }, perAccount)).toBe(true);
  });
});

test("every measurement is in the catalog, with its dimensions", () => {
  const all = [
    ...measuresOfSweep(
      { seen: 1, queued: 1, postponed: 1, pastPage: 1, oldestUnverified: millis(0), soonestExpiry: NOW },
      NOW,
    ),
    ...measuresOfJob(
      job({
        outcome: "renewed",
        rungs: [{ rung: "renew", result: "helped" }],
        unwellSince: ago(1),
        expiresAt: ago(1),
      }),
      NOW,
    ),
    ...measuresOfFailedJob({ retryable: true }),
    ...measuresOfMessage(NOW, NOW),
    ...measuresOfPage({ status: "open", first: true }, "undeliverable"),
    ...measuresOfPage({ status: "resolved" }, "delivered"),
  ];
  const emitted = Object.entries(METRICS).filter(([, metric]) => "cloudWatch" in metric);
  expect(new Set(all.map(({ name }) => name))).toEqual(new Set(emitted.map(([name]) => name)));
  for (const { name, dimensions = {} } of all) {
    const { dimensions: known, total } = METRICS[name].cloudWatch as {
      readonly dimensions: readonly string[];
      readonly total: boolean;
    };
    for (const dimension of Object.keys(dimensions)) expect(known).toContain(dimension);
    expect(total || Object.keys(dimensions).length > 0).toBe(true);
  }
});

test.each<[string, string[], number | undefined]>([
  ["nothing", [], undefined],
  ["health only", ["healthy", "healthy"], undefined],
  ["one outage", ["healthy", "dead", "unknown", "healthy"], 1],
  ["two spells", ["dead", "healthy", "degraded", "dead", "healthy", "healthy"], 2],
  ["a outage from the beginning", ["dead", "dead", "healthy"], 0],
  ["a outage that has not ended", ["healthy", "dead", "dead"], 1],
])("start of the outage: %s", (_what, verdicts, expected) => {
  const entries = verdicts.map((verdict, at): JournalEntry => {
    return { at: epochMillis(at), job: "j", account: A, kind: "verdict", data: { verdict } };
  });
  expect(lastOutage(entries)?.began).toBe(expected);
});
