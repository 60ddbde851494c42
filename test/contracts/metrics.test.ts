import { beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { emfMetrics } from "../../lib/adapters/aws/telemetry/emf-metrics.ts";
import { type EmittedName, METRICS } from "../../lib/domain/metrics/catalogue.ts";
import type { MetricDescription } from "../../lib/domain/metrics/forms.ts";
import type { Measurement, PerAccount } from "../../lib/domain/metrics/measures.ts";
import { emfSummary, isEmf, readEmf } from "../support/emf.ts";
import { fakeLog } from "../support/fakes/log.ts";

const A = `A${"A".repeat(55)}`;
const NAMES = Object.entries<MetricDescription>(METRICS).flatMap(([name, { cloudWatch }]) =>
  cloudWatch === undefined ? [] : [name as EmittedName],
);
let written: string[];

beforeEach(() => {
  written = [];
});

function emit(measurements: readonly Measurement[], perAccount: PerAccount = "all") {
  const log = fakeLog();
  const write = (line: string): void => void written.push(line);
  emfMetrics({ namespace: "Relight", service: "relight-test", perAccount, log, write }).emit(measurements);
  return log;
}

test("measurements with different dimensions get their own lines, with the service alone where an alarm looks", () => {
  emit([
    { name: "JobsFinished", value: 1, dimensions: { Outcome: "healed" } },
    { name: "Verdicts", value: 1, dimensions: { Verdict: "healthy" } },
    { name: "Renewals", value: 1 },
    { name: "QueueAgeSeconds", value: 2.5 },
  ]);
  expect(emfSummary(written)).toEqual([
    ...["JobsFinished=1", "JobsFinished{Outcome=healed}=1", "Verdicts{Verdict=healthy}=1"],
    ...["Renewals=1", "QueueAgeSeconds=2.5"],
  ]);
  expect(written).toHaveLength(3);
  for (const line of written) expect(JSON.parse(line)).toMatchObject({ service: "relight-test" });
});

test("one account's expiry is never the soonest of all; a critical one has one-second resolution", () => {
  emit([
    { name: "SecondsUntilExpiry", value: 7, dimensions: { Account: A }, highResolution: true },
    { name: "SecondsUntilExpiry", value: 9, dimensions: { Account: A }, highResolution: false },
    { name: "SecondsUntilExpiry", value: 5 },
  ]);
  expect(emfSummary(written)).toEqual([
    ...[`SecondsUntilExpiry{Account=${A}}=7`, `SecondsUntilExpiry{Account=${A}}=9`, "SecondsUntilExpiry=5"],
  ]);
  expect(written.flatMap(readEmf).map(({ resolution }) => resolution)).toEqual([1, 60, 60]);
});

test.each<[PerAccount, number]>([
  ["all", 2],
  ["critical", 1],
  ["none", 0],
])("perAccount: %s", (perAccount, count) => {
  const of = { name: "SecondsUntilExpiry", value: 1, dimensions: { Account: A } } as const;
  emit([of, { ...of, highResolution: true }], perAccount);
  expect(written).toHaveLength(count);
});

test("without measurements there is no line", () => {
  const log = emit([]);
  expect({ written, lines: log.lines }).toEqual({ written: [], lines: [] });
});

test("a failed write is only a warning", () => {
  const log = emit([
    { name: "Renewals", value: 1 },
    { name: "NoSuchMetric" as EmittedName, value: 1 },
  ]);
  expect(log.lines).toMatchObject([{ level: "warn", message: "metrics could not be written" }]);
});

test("any measurements arrive complete and within CloudWatch's limits", () => {
  const measurement: fc.Arbitrary<Measurement> = fc.record({
    name: fc.constantFrom(...NAMES),
    value: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((value) => value || 0),
    dimensions: fc.constantFrom({}, { Outcome: "healed" }, { Rung: "renew" }, { Account: A }),
    highResolution: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(measurement, { minLength: 1, maxLength: 450 }), (measurements) => {
      written.length = 0;
      const log = emit(measurements);
      const sums = (values: readonly (readonly [string, number])[]) =>
        values.map(([name, value]) => `${name} ${value}`).sort();
      const read = written
        .flatMap(readEmf)
        .flatMap(({ name, values }) => values.map((value) => [name, value] as const));
      expect(log.lines).toEqual([]);
      expect(written.every(isEmf)).toBe(true);
      expect(sums(read)).toEqual(sums(measurements.map(({ name, value }) => [name, value] as const)));
    }),
    { numRuns: 60 },
  );
});
