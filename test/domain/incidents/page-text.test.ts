import { describe, expect, test } from "@jest/globals";
import type { Incident } from "../../../lib/domain/incidents/incident.ts";
import { type Links, pageText, textLines } from "../../../lib/domain/incidents/page-text.ts";
import { incident } from "../../support/escalation-contract.ts";

const ACCOUNT = `A${"A".repeat(55)}`;
const lines = (fields: Partial<Incident> = {}, links: Links = {}): readonly string[] =>
  textLines(pageText(incident(fields), links));
const whole = (fields: Partial<Incident> = {}, links: Links = {}): string => lines(fields, links).join("\n");

test("a page has what a person who was woken needs, in order", () => {
  const rungs = [
    { rung: "renew", target: ACCOUNT, result: "helped", why: "it had expired" },
    { rung: "step-down", target: "stream S", result: "refused", why: "no quorum" },
  ];
  const links = { runbook: "https://wiki/{class}?a={account}#{name}", console: "https://relight/" };
  expect(lines({ evidence: { rungs }, advice: ["Do this.", "Then that."] }, links)).toEqual([
    ...["[CRITICAL] ORDERS: JetStream is dead", ""],
    ...["What is wrong:", "JetStream is dead: Grüße", ""],
    ...["Since:", "2029-12-31 23:00 UTC (for 1h)", ""],
    ...["Who is affected:", `account ORDERS (${ACCOUNT})`, ""],
    ...["What was tried:", "renew: helped (it had expired)", "step-down of stream S: refused (no quorum)", ""],
    ...["What to do now:", "Do this.", "Then that.", ""],
    ...[`Runbook: https://wiki/jetstream_dead?a=${ACCOUNT}#ORDERS`, "Console: https://relight/"],
  ]);
});

test("its last line is what to search the logs for", () => {
  const [before, last] = lines({ correlation: "sweep-1" }, { console: "https://relight/" }).slice(-2);
  expect([before, last]).toEqual(["", "Correlation id: sweep-1"]);
  expect(whole()).not.toContain("Correlation");
});

test("a resolution says how long it lasted, and asks for nothing", () => {
  expect(lines({ status: "resolved", summary: "healthy again: it was dead" })).toEqual([
    ...["[RESOLVED] ORDERS: JetStream is dead", ""],
    ...["What was wrong:", "healthy again: it was dead", ""],
    ...["How long:", "from 2029-12-31 23:00 UTC to 2030-01-01 00:00 UTC (1h)", ""],
    ...["Who was affected:", `account ORDERS (${ACCOUNT})`],
  ]);
});

test("a resolution says where to find what ended it", () => {
  const told = lines({ status: "resolved", correlation: "sweep-1" });
  expect(told.slice(-5)).toEqual([
    ...["", "What ended it:"],
    "`relight journal ORDERS --correlation sweep-1` shows what Relight saw and did.",
    ...["", "Correlation id: sweep-1"],
  ]);
});

describe("a page's text", () => {
  test.each<[string, Partial<Incident>, string]>([
    ["a warning", { severity: "warning" }, "[WARNING] ORDERS: "],
    ["the cluster", { account: "-" }, "Who is affected:\nthe whole cluster"],
    ["an account without a name", { accountName: ACCOUNT }, `Who is affected:\naccount ${ACCOUNT}\n`],
    ["what was noticed just now", { since: incident().at }, "(just noticed)"],
    ["a clock that went back", { since: "2031-01-01T00:00:00.000Z" }, "(just noticed)"],
    ["nothing tried", { evidence: { rungs: [] } }, "What was tried:\nnothing, because no remedy fits"],
    ["no advice", { advice: [] }, `What to do now:\nRun \`relight verify ${ACCOUNT}\`.`],
    [
      "an alarm of the stack",
      { account: "-", accountName: "relight-prod/sweep-missed", failureClass: "stack_alarm" },
      "Who is affected:\nRelight itself (relight-prod/sweep-missed)\n",
    ],
    [
      "no advice for an alarm",
      { account: "-", accountName: "relight-prod/x", failureClass: "stack_alarm", advice: [] },
      "`aws cloudwatch describe-alarms --alarm-names relight-prod/x`",
    ],
    ["no advice for the cluster", { advice: [], account: "-" }, "`relight doctor`"],
    ["several lines", { summary: "one\n  two" }, "What is wrong:\none two\n"],
    ["many lines", { advice: Array(12).fill("x") }, "x\n… and 2 more (`relight journal`)"],
  ])("%s", (_what, fields, expected) => {
    expect(whole(fields)).toContain(expected);
  });

  test.each<[string, unknown]>([
    ["none", undefined],
    ["no list", "x"],
    ["no objects", [1, null]],
  ])("omits rungs that are %s", (_what, rungs) => {
    expect(whole({ evidence: { rungs } as Incident["evidence"] })).not.toContain("What was tried");
  });

  test("is bounded, however long the incident is", () => {
    const long = "😀".repeat(100_000);
    const rungs = Array(1_000).fill({ rung: long, result: "failed", why: long });
    const text = whole({
      summary: long,
      accountName: long,
      advice: Array(1_000).fill(long),
      evidence: { rungs },
    });
    expect(text.length).toBeLessThan(20_000);
    expect(text.isWellFormed()).toBe(true);
  });
});
