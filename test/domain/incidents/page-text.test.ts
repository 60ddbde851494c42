import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
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
  const page = {
    evidence: { rungs },
    also: ["2.10.27 has a defect", "JetStream is dead: Grüße"],
    advice: ["Do this.", "Then that."],
    impact: "Publishers to S get 503 no responders.",
    command: "relight heal ORDERS",
    correlation: "sweep-1",
  };
  expect(lines(page, links)).toEqual([
    ...["[CRITICAL] ORDERS (AAAAAAAA): JetStream is dead", ""],
    ...["Impact:", "Publishers to S get 503 no responders.", ""],
    ...["Since:", "2029-12-31 23:00 UTC (for 1 h)", ""],
    ...["What is wrong:", "JetStream is dead: Grüße", "2.10.27 has a defect", ""],
    ...["What Relight tried:", "renew: helped (it had expired)", "step-down of stream S: refused (no quorum)", ""],
    ...["What to do now:", "Do this.", "Then that.", ""],
    ...["Run this:", "relight heal ORDERS", ""],
    ...[`Runbook: https://wiki/jetstream_dead?a=${ACCOUNT}#ORDERS`, "Console: https://relight/", ""],
    ...[`Account id: ${ACCOUNT}`, "Correlation id: sweep-1"],
  ]);
});

test("a resolution says how it ended and how long it lasted, and asks for nothing", () => {
  const page = {
    ...({ status: "resolved", summary: "JetStream works again after 1 h", was: "JetStream does not listen" } as const),
    also: ["Relight healed it: step-down-leaders."],
    command: "relight journal ORDERS --correlation sweep-1",
  };
  expect(lines(page)).toEqual([
    ...["[RESOLVED] ORDERS (AAAAAAAA): JetStream works again after 1 h", ""],
    ...["What was wrong:", "JetStream does not listen", ""],
    ...["How long:", "from 2029-12-31 23:00 UTC to 2030-01-01 00:00 UTC (1 h)", ""],
    ...["What ended it:", "Relight healed it: step-down-leaders."],
    ...["`relight journal ORDERS --correlation sweep-1` shows what Relight saw and did.", "", `Account id: ${ACCOUNT}`],
  ]);
});

describe("a page's text", () => {
  test.each<[string, Partial<Incident>, string]>([
    ["a warning", { severity: "warning" }, "[WARNING] ORDERS (AAAAAAAA): "],
    ["the cluster", { account: "-", accountName: "the cluster of OP" }, "[CRITICAL] the cluster of OP: "],
    ["an account without a name", { accountName: ACCOUNT }, "[CRITICAL] AAAAAAAA: JetStream is dead\n"],
    ["what was noticed just now", { since: incident().at }, "(just noticed)"],
    ["a clock that went back", { since: "2031-01-01T00:00:00.000Z" }, "(just noticed)"],
    ["what was wrong before", { was: "the renewal failed" }, "(for 1 h)\nBefore: the renewal failed.\n"],
    [
      "nothing tried, where remedies might have helped",
      { evidence: { rungs: [], mode: { mode: "heal" } } },
      "What Relight tried:\nnothing, because no remedy fits",
    ],
    ["several lines", { summary: "one\n  two" }, "What is wrong:\none two\n"],
    [
      "many lines",
      { advice: Array.from({ length: 12 }, (_, index) => `${index}`) },
      "9\n… and 2 more (`relight journal`)",
    ],
    ["a class of a newer version", { failureClass: "new_class" as Incident["failureClass"] }, ": new_class\n"],
  ])("%s", (_what, fields, expected) => {
    expect(whole(fields)).toContain(expected);
  });

  test.each<[string, Partial<Incident>]>([
    ["of rungs that are none", { evidence: {} }],
    ["of rungs that are no list", { evidence: { rungs: "x" } }],
    ["of rungs that are no objects", { evidence: { rungs: [1, null] } }],
    ["where the mode allows no remedy", { evidence: { rungs: [], mode: { mode: "look" } } }],
    [
      "where no remedy is meant to help",
      { failureClass: "account_deleted", evidence: { rungs: [], mode: { mode: "heal" } } },
    ],
  ])("say nothing of what was tried %s", (_what, fields) => {
    expect(whole(fields)).not.toContain("What Relight tried");
  });

  test("say each reason once", () => {
    const text = whole({ summary: "n1 is away", also: ["n1 is away"], advice: ["Start n1.", "Start n1."] });
    expect([text.split("n1 is away"), text.split("Start n1.")].map(({ length }) => length)).toEqual([2, 2]);
  });

  test("have no half command", () => {
    expect(whole({ command: `relight --config '/${"x".repeat(2_000)}' heal APP` })).not.toContain("Run this");
  });

  test("is bounded, however long the incident is", () => {
    const long = "😀".repeat(100_000);
    const rungs = Array(1_000).fill({ rung: long, result: "failed", why: long });
    const text = whole({
      ...{ summary: long, impact: long, was: long, accountName: long, command: long, correlation: long },
      advice: Array(1_000).fill(long),
      also: Array(1_000).fill(long),
      evidence: { rungs },
    });
    expect(text.length).toBeLessThan(20_000);
    expect(text.isWellFormed()).toBe(true);
  });

  test("are those of Relight: nothing in an incident begins a line, hides or turns around", () => {
    const odd = fc.string({ unit: fc.constantFrom("\n", "\r", "\u2028", "\u202E", "\u200B", "\u0007", "A", " ") });
    fc.assert(
      fc.property(odd, odd, odd, (accountName, summary, advice) => {
        const page = lines({ accountName, summary, advice: [advice], command: "relight doctor" });
        const plain = lines({ accountName: "A", summary: "A", advice: ["A"], command: "relight doctor" });
        expect(page).toHaveLength(plain.length);
        expect(page.join("")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
