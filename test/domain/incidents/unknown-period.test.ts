import { describe, expect, test } from "@jest/globals";
import { describePeriod, hasLasted, unknownPeriod } from "../../../lib/domain/incidents/unknown-period.ts";
import type { EntryKind, JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";

const MINUTE = 60_000;
const KEY = "relight/O/A/unknown";
const at = (minutes: number) => epochMillis(minutes * MINUTE);
const entry = (kind: EntryKind, minutes: number, data: JournalEntry["data"], job = `j${minutes}`): JournalEntry => ({
  at: at(minutes),
  job,
  account: "-",
  kind,
  data,
});
const saw = (verdict: string, minutes: number, job?: string) => entry("verdict", minutes, { verdict }, job);
const opened = (minutes: number, delivery = "waiting", key = KEY) =>
  entry("incident.opened", minutes, { key, delivery, failureClass: "unknown" });
const resolved = (minutes: number, key = KEY) => entry("incident.resolved", minutes, { key });

describe("a period of unknown verdicts", () => {
  test.each<[string, readonly JournalEntry[], number, number]>([
    ["without entries begins now", [], 20, 1],
    ["begins with the first unknown verdict", [saw("unknown", 5), saw("unknown", 10)], 5, 3],
    ["counts a job that looked twice once", [saw("unknown", 5, "a"), saw("unknown", 6, "a")], 5, 2],
    ["restarts after a healthy verdict", [saw("unknown", 1), saw("healthy", 5), saw("unknown", 10)], 10, 2],
    ["restarts after any known verdict", [saw("unknown", 1), saw("degraded", 5), saw("unknown", 10)], 10, 2],
    ["ends with a known verdict", [saw("unknown", 1), saw("dead", 5)], 20, 1],
    ["starts with the first look without a verdict", [opened(5), saw("unknown", 10)], 5, 3],
    ["ends with the incident", [opened(5), resolved(7), opened(12)], 12, 2],
    ["does not end with another incident", [opened(5), resolved(7, "other")], 5, 2],
    ["does not start with another incident", [opened(5, "delivered", "other")], 20, 1],
    ["continues after a page", [saw("unknown", 1), opened(1), saw("unknown", 7), opened(7, "delivered")], 1, 3],
  ])("%s", (_situation, entries, began, asked) => {
    expect(unknownPeriod(entries, { key: KEY, failureClass: "unknown" }, "now", at(20))).toEqual({
      began: at(began),
      asked,
    });
  });

  test.each([
    [4, false],
    [5, true],
    [6, true],
  ])("of %d minutes pages after five: %s", (minutes, calls) => {
    expect(hasLasted({ began: at(0), asked: 2 }, millis(5 * MINUTE), at(minutes))).toBe(calls);
  });

  test("is described for people", () => {
    expect(describePeriod({ began: epochMillis(Date.UTC(2030, 0, 1, 9, 5)), asked: 3 })).toBe(
      "unknown since 2030-01-01 09:05 UTC, checked 3 times",
    );
    expect(describePeriod({ began: at(0), asked: 1 })).toMatch(/checked once$/);
  });
});
