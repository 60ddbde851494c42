import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { ASSUMED, billOf, looksOf, type Measured, STEPS, secondsOf } from "../lab/twin/costs-model.ts";
import { costOf, PRICES } from "../lab/twin/costs-prices.ts";
import type { Start, Usage } from "../lab/twin/costs-record.ts";
import { BEGIN, costsText, END, measuredTable, readMeasured, SETTINGS } from "../lab/twin/costs-table.ts";
import { sizeOf, unitsOf } from "../lab/twin/costs-units.ts";

/** The arithmetic behind docs/deploy-aws.md, and whether the document matches it. */

const NOTHING: Usage & Start = {
  calls: 0,
  read: 0,
  write: 0,
  stored: 0,
  sqs: 0,
  secrets: 0,
  events: 0,
  logs: 0,
  cpu: 0,
  waited: 0,
  imports: 0,
  memory: 0,
};
const measured = (changes: Partial<Record<(typeof STEPS)[number], Partial<Usage & Start>>> = {}): Measured => ({
  steps: Object.fromEntries(
    STEPS.map((step) => [step, { ...NOTHING, ...changes[step] }]),
  ) as unknown as Measured["steps"],
  metrics: 0,
  alarms: 0,
});

describe("units of DynamoDB", () => {
  const call = (operation: string, input: object, responseBytes = 0) =>
    unitsOf({
      service: "dynamodb",
      operation,
      input: input as Readonly<Record<string, unknown>>,
      responseBytes,
    });

  test.each([
    ["text and its name", { pk: { S: "account#A" } }, 11],
    ["text by its bytes", { a: { S: "ü" } }, 3],
    ["a number, two digits a byte and one more", { n: { N: "12345" } }, 5],
    ["a truth", { b: { BOOL: true } }, 2],
    ["bytes", { z: { B: Buffer.from("four").toString("base64") } }, 5],
    ["a list and a map with their overhead", { l: { L: [{ S: "a" }] }, m: { M: { k: { S: "v" } } } }, 1 + 5 + 1 + 6],
  ])("an item's size: %s", (_what, item, expected) => {
    expect(sizeOf(item)).toBe(expected);
  });

  test("a write is charged in kilobytes, once more for each index that has the item", () => {
    const text = (length: number) => ({ S: "x".repeat(length) });
    const Item = { pk: { S: "account#A" }, data: text(1500) };
    expect(call("PutItem", { Item }).write).toBe(2);
    expect(call("PutItem", { Item: { ...Item, job: { S: "1" } } }).write).toBe(4);
    const both = { ...Item, job: { S: "1" }, kindKey: { S: "k" } };
    expect(call("PutItem", { Item: both })).toEqual({ read: 0, write: 6, stored: 3 * sizeOf(both) });
    expect(call("PutItem", { Item: { pk: { S: "lease#A" } } })).toEqual({ read: 0, write: 1, stored: 0 });
  });

  test("a read is charged in four kilobytes, half where it may lag behind, and each key of a batch by itself", () => {
    expect(call("Query", { ConsistentRead: true }, 10).read).toBe(1);
    expect(call("Query", { ConsistentRead: true }, 4097).read).toBe(2);
    expect(call("Query", {}, 10).read).toBe(0.5);
    expect(call("BatchGetItem", { RequestItems: { t: { Keys: [1, 2, 3], ConsistentRead: true } } }).read).toBe(3);
    expect(unitsOf({ service: "sqs", operation: "SendMessage", input: {} })).toEqual({
      read: 0,
      write: 0,
      stored: 0,
    });
  });

  test("an unknown operation is an error, not free", () => {
    expect(() => call("TransactWriteItems", {})).toThrow(/TransactWriteItems/);
  });
});

describe("the costs", () => {
  const lines = (changes: Parameters<typeof measured>[0], accounts = 1) =>
    billOf(measured(changes), { accounts, verifyEvery: 5 }).lines;
  const sweeps = 8_640;

  test("checking every account at every sweep costs more than once a day, at 1.15 times a day", () => {
    expect(looksOf({ accounts: 1, verifyEvery: 5 })).toBe(sweeps);
    expect(looksOf({ accounts: 1, verifyEvery: 24 * 60 })).toBeCloseTo(30 * 1.15, 0);
  });

  test("a run computes with its share of a CPU, and waits for the cluster and for AWS", () => {
    expect(secondsOf({ ...NOTHING, cpu: 1000 }, 1769)).toBe(1);
    expect(secondsOf({ ...NOTHING, cpu: 1000, waited: 500, calls: 10 }, 1769 / 2)).toBe(2.6);
  });

  test("the cost of a sweep includes each account", () => {
    const read = lines({ sweep: { read: 10 }, account: { read: 2 } }, 100)["DynamoDB reads"];
    expect(read).toBeCloseTo(costOf("dynamoRead", sweeps * 210));
  });

  test("each check costs writes, logs and secrets", () => {
    const look = lines({ look: { write: 12, logs: 1_000, secrets: 2 } });
    expect(look["DynamoDB writes"]).toBeCloseTo(costOf("dynamoWrite", sweeps * 12));
    expect(look["Secrets Manager"]).toBeCloseTo(6 * 0.4 + costOf("secretCall", sweeps * 2));
    expect((look["CloudWatch logs"] ?? 0) - (lines({})["CloudWatch logs"] ?? 0)).toBeCloseTo(
      (sweeps * 1_000 * (0.5 + 0.03 * 3 * 0.15)) / 1e9,
    );
  });

  test("idle resources cost their monthly price and nothing else", () => {
    const idle = billOf({ ...measured(), metrics: 10, alarms: 20 }, { accounts: 0, verifyEvery: 5 }).lines;
    expect(idle["CloudWatch metrics"]).toBeCloseTo(3);
    expect(idle["CloudWatch alarms and dashboard"]).toBeCloseTo(5);
    expect(idle["Scheduler"]).toBeCloseTo(0.00864);
    expect(idle["SQS"]).toBeCloseTo(
      costOf("sqsFifo", ASSUMED.pollsAMonth) + costOf("sqsStandard", ASSUMED.pollsAMonth + 30),
    );
  });

  test("the total is the sum of its lines, and every price names its source", () => {
    const { lines: each, total } = billOf(
      measured({ look: { write: 1, read: 1 } }),
      SETTINGS[1] as (typeof SETTINGS)[0],
    );
    expect(total).toBeCloseTo(Object.values(each).reduce((sum, one) => sum + one));
    for (const { usd, per, source } of Object.values(PRICES)) {
      expect(Math.min(usd, per)).toBeGreaterThan(0);
      expect(source).not.toBe("");
    }
  });
});

describe("the tables", () => {
  test("the output can be read back", () => {
    const some = measured({ look: { calls: 28, cpu: 351, read: 1.25 }, account: { read: 1, logs: 0.03 } });
    expect(readMeasured(measuredTable(some))).toEqual(some);
    expect(() => readMeasured("| a | table |")).toThrow(/metrics and alarms/);
  });

  test("docs/deploy-aws.md matches what `npm run costs` makes of the documented measurements", () => {
    const document = readFileSync(join(import.meta.dirname, "..", "docs", "deploy-aws.md"), "utf8");
    const shown = document.slice(document.indexOf(BEGIN), document.indexOf(END) + END.length);
    expect(shown).toBe(costsText(readMeasured(shown)));
  });
});
