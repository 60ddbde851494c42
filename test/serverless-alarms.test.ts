import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type Properties, packageStack } from "./support/packaged-stack.ts";
import { EMITTED, OF_AWS } from "./support/stack-metrics.ts";

/** Alarms and dashboard of the packaged stack: they use metrics that exist, and say what to do. */

const stack = packageStack({ alarmEmail: "oncall@example.com" });

const SERVICE = "relight-prod";
const alarms = stack.ofType("AWS::CloudWatch::Alarm").map(([, properties]) => properties);
const functions = stack.ofType("AWS::Lambda::Function").map(([id]) => id);
const alarmOf = (name: string): Properties => alarms.find(({ AlarmName }) => AlarmName === `${SERVICE}/${name}`);

describe("alarms", () => {
  test("each function has one for errors, and urgent ones for throttles", () => {
    const watched = (metric: string) =>
      alarms.filter(({ MetricName }) => MetricName === metric).map(({ Dimensions }) => Dimensions[0].Value.Ref);
    expect(watched("Errors").sort()).toEqual(functions.toSorted());
    expect(watched("Throttles").sort()).toEqual([
      "EscalateLambdaFunction",
      "IssuerDashwebhookLambdaFunction",
      "RemediateLambdaFunction",
      "SweepLambdaFunction",
    ]);
    expect(watched("Duration")).toEqual(["RemediateLambdaFunction"]);
    const { Timeout } = stack.resources["RemediateLambdaFunction"]?.Properties ?? {};
    expect(alarmOf("remediate-duration").Threshold).toBeLessThan(Timeout * 1000);
  });

  test.each([
    ["accounts-past-page", "AccountsPastPage", "GreaterThanOrEqualToThreshold", 1, "ignore"],
    ["sweep-missed", "SweepFinished", "LessThanThreshold", 1, "breaching"],
    ["escalation-undeliverable", "EscalationUndeliverable", "GreaterThanOrEqualToThreshold", 1, "notBreaching"],
    ["jobs-dead-letters", "ApproximateNumberOfMessagesVisible", "GreaterThanOrEqualToThreshold", 1, "notBreaching"],
    ["pages-dead-letters", "ApproximateNumberOfMessagesVisible", "GreaterThanOrEqualToThreshold", 1, "notBreaching"],
    ["oldest-job", "ApproximateAgeOfOldestMessage", "GreaterThanOrEqualToThreshold", 1800, "notBreaching"],
  ])("%s is raised by %s", (name, metric, comparison, threshold, missing) => {
    expect(alarmOf(name)).toMatchObject({
      MetricName: metric,
      ComparisonOperator: comparison,
      Threshold: threshold,
      TreatMissingData: missing,
    });
  });

  test("fifteen minutes without a sweep are a missed sweep", () => {
    const { Period, EvaluationPeriods, DatapointsToAlarm } = alarmOf("sweep-missed");
    expect([Period * EvaluationPeriods, DatapointsToAlarm]).toEqual([15 * 60, EvaluationPeriods]);
  });

  test("use existing metrics, of this stack's own resources", () => {
    for (const { Namespace, MetricName, Dimensions } of alarms) {
      if (Namespace !== "Relight") {
        expect(OF_AWS[Namespace]).toContain(MetricName);
        const [{ Value }] = Dimensions;
        expect(Object.keys(stack.resources)).toContain(Value.Ref ?? Value["Fn::GetAtt"][0]);
        continue;
      }
      expect(EMITTED[MetricName]?.total).toBe(true);
      expect(Dimensions).toEqual([{ Name: "service", Value: SERVICE }]);
    }
  });

  test("say what they mean and what to do, line by line, and how missing data counts", () => {
    for (const { AlarmName, AlarmDescription, TreatMissingData } of alarms) {
      const [meaning, ...advice] = AlarmDescription.split("\n");
      expect({ AlarmName, meaning, steps: advice.length, TreatMissingData }).toEqual({
        AlarmName,
        meaning: expect.stringMatching(/^[A-Z].{20,}\.$/),
        steps: expect.any(Number),
        TreatMissingData: expect.stringMatching(/reaching$|^ignore$/),
      });
      expect(advice.length).toBeGreaterThan(0);
      for (const line of advice) expect(line).toMatch(/^[A-Z].*[.?]$/);
      expect(AlarmDescription.length).toBeLessThanOrEqual(1024);
    }
  });

  test("advise existing commands", () => {
    const program = readFileSync(join(import.meta.dirname, "..", "cli", "relight.ts"), "utf8");
    const texts = alarms.map(({ AlarmDescription }) => AlarmDescription).join("\n");
    const advised = [...texts.matchAll(/`relight ([\w-]+)/g)].map(([, command]) => command);
    expect(new Set(advised).size).toBeGreaterThan(3);
    for (const command of advised) expect(program).toMatch(new RegExp(`\\.command\\("${command}[ "]`));
  });

  test("page in two ways: the topic, and the queue of pages", () => {
    const topic = [{ Ref: "AlarmsTopic" }];
    for (const { AlarmActions, OKActions } of alarms) expect([AlarmActions, OKActions]).toEqual([topic, topic]);
    expect(stack.resources["AlarmsTopic"]?.Properties.Subscription).toEqual([
      { Protocol: "email", Endpoint: "oncall@example.com" },
    ]);
    const [statement] = stack.resources["AlarmsTopicPolicy"]?.Properties.PolicyDocument.Statement ?? [];
    expect(statement).toMatchObject({
      Action: "sns:Publish",
      Principal: { Service: "cloudwatch.amazonaws.com" },
    });
    const { EventPattern } = stack.resources["AlarmsRule"]?.Properties ?? {};
    const [{ prefix }] = EventPattern.resources;
    expect(EventPattern.detail.state.value).toEqual(["ALARM", "OK"]);
    expect(prefix["Fn::Sub"]).toMatch(/:alarm:relight-prod\/$/);
    for (const { AlarmName } of alarms) expect(AlarmName).toMatch(/^relight-prod\/[a-z-]+$/);
    expect(new Set(alarms.map(({ AlarmName }) => AlarmName)).size).toBe(alarms.length);
  });
});

describe("the dashboard", () => {
  const [text, own] = stack.resources["Dashboard"]?.Properties.DashboardBody["Fn::Sub"] ?? [];
  const body = JSON.parse(text);
  const widgets: readonly Properties[] = body.widgets.map(({ properties }: Properties) => properties);
  const metrics = widgets.flatMap(({ metrics = [] }) => named(metrics));
  const searches = [
    ...String(text).matchAll(/SEARCH\('\{Relight,service,(\w+)\} MetricName=\\"(\w+)\\" service=\\"([\w-]+)\\"'/g),
  ];

  test("shows everything that Relight emits, and nothing else", () => {
    const shown = metrics.filter(({ namespace }) => namespace === "Relight");
    for (const { metric, dimensions } of shown) {
      expect(EMITTED[metric]?.total).toBe(true);
      expect(dimensions).toEqual(["service", SERVICE]);
    }
    for (const [, dimension, metric, service] of searches) {
      expect(EMITTED[metric ?? ""]?.dimensions).toEqual([dimension]);
      expect(service).toBe(SERVICE);
    }
    const all = [...shown.map(({ metric }) => metric), ...searches.map(([, , metric]) => metric)];
    expect([...new Set(all)].sort()).toEqual(Object.keys(EMITTED).sort());
    for (const { namespace, metric } of metrics)
      if (namespace !== "Relight") expect(OF_AWS[namespace]).toContain(metric);
  });

  test("shows all alarms, and every function's errors", () => {
    expect(own.Alarm["Fn::Sub"]).toMatch(/:alarm:relight-prod$/);
    const [{ alarms: shown }] = widgets as [Properties];
    const names = alarms.map(({ AlarmName }) => AlarmName.replace(SERVICE, "$" + "{Alarm}"));
    expect(names).toEqual(expect.arrayContaining(shown));
    expect(shown).toEqual(expect.arrayContaining(names.filter((name) => !/throttles|duration/.test(name))));
    const errors = metrics.filter(({ metric }) => metric === "Errors").map(({ dimensions }) => dimensions[1]);
    expect(errors.sort()).toEqual(functions.map((id) => `$\{${id}}`).sort());
  });
});

interface Shown {
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: readonly string[];
}

/** Rows with CloudWatch's short hand written out: "." is the cell above, "..." all that are left out. */
function named(rows: readonly Properties[]): readonly Shown[] {
  let above: readonly string[] = [];
  return rows.flatMap((row: readonly unknown[]) => {
    const cells = row.filter((cell): cell is string => typeof cell === "string");
    if (cells.length === 0) return [];
    const left = above.slice(0, above.length - (cells.length - 1));
    const whole = cells[0] === "..." ? [...left, ...cells.slice(1)] : cells;
    above = whole.map((cell, index) => (cell === "." ? (above[index] ?? cell) : cell));
    const [namespace = "", metric = "", ...dimensions] = above;
    return [{ namespace, metric, dimensions }];
  });
}
