import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openingsOf, type PageCandidate, shouldPage } from "../../../lib/domain/incidents/repeats.ts";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";

const START = Date.UTC(2030, 0, 1);
const MINUTE = 60_000;
const at = (minutes: number) => epochMillis(START + minutes * MINUTE);

const entry = (kind: JournalEntry["kind"], minutes: number, data = {}): JournalEntry => ({
  at: at(minutes),
  job: "j",
  account: "-",
  kind,
  data: { key: "k", ...data },
});
const opened = (minutes: number, data = {}) => entry("incident.opened", minutes, { ...PAGE, ...data });
const PAGE = { failureClass: "jetstream_dead", severity: "critical", about: "a", delivery: "delivered" };
const resolved = (minutes: number) => entry("incident.resolved", minutes);
const lost = { delivery: "undeliverable" };
const warning = { severity: "warning" };
const other = { about: "b" };

const candidate = (fields: Partial<PageCandidate> = {}): PageCandidate => ({
  key: "k",
  failureClass: "jetstream_dead",
  severity: "critical",
  about: "a",
  repeats: true,
  ...fields,
});

describe("a person is paged", () => {
  test.each<[string, readonly JournalEntry[], number, Partial<PageCandidate>, boolean]>([
    ["about a new failure", [], 0, {}, true],
    ["about the same failure, within 15 minutes", [opened(0)], 14, {}, false],
    ["about the same failure, after 15 minutes", [opened(0)], 15, {}, true],
    ["a third time, within an hour of the second", [opened(0), opened(15)], 74, {}, false],
    ["a third time, after an hour", [opened(0), opened(15)], 75, {}, true],
    ["a fourth time, within 4 hours", [opened(0), opened(15), opened(75)], 314, {}, false],
    ["a fourth time, after 4 hours", [opened(0), opened(15), opened(75)], 315, {}, true],
    ["a fifth time, after 11 hours", [0, 15, 75, 315].map((m) => opened(m)), 315 + 660, {}, false],
    ["a fifth time, after 12 hours", [0, 15, 75, 315].map((m) => opened(m)), 315 + 720, {}, true],
    ["about something worse", [opened(0, warning)], 1, {}, true],
    ["about something less bad", [opened(0)], 1, warning as Partial<PageCandidate>, false],
    ["about something else", [opened(0)], 1, other, true],
    ["about an earlier failure after another one", [opened(0), opened(5, other)], 10, {}, false],
    ["about it after its own pause", [opened(0), opened(5, other)], 15, {}, true],
    ["about an undelivered page", [opened(0, lost)], 1, {}, true],
    ["again, if the repetition was not delivered", [opened(0), opened(15, lost)], 16, {}, true],
    ["again, while the first page still counts", [opened(0), opened(5, { ...other, ...lost })], 6, {}, false],
    ["about a resolved failure that is back", [opened(0), resolved(1)], 2, {}, true],
    ["about another incident of the same account", [opened(0, { key: "l" })], 1, {}, true],
  ])("%s", (_what, entries, minutes, fields, isPaged) => {
    expect(shouldPage(entries, candidate(fields), at(minutes))).toBe(isPaged);
  });

  test.each<[string, readonly JournalEntry[], Partial<PageCandidate>, boolean]>([
    ["about the same, ever", [opened(0)], {}, false],
    ["about something else", [opened(0)], other, true],
    ["about something worse", [opened(0, warning)], {}, true],
    ["about what it has become again, after the pause", [opened(0), opened(1, other)], {}, true],
    ["about an undelivered page", [opened(0, lost)], {}, true],
  ])("once, a year later, %s", (_what, entries, fields, isPaged) => {
    expect(shouldPage(entries, candidate({ ...fields, repeats: false }), at(525_600))).toBe(isPaged);
  });
});

test("however often it is checked, a person is paged about one problem at these times in two days", () => {
  const paged: JournalEntry[] = [];
  for (let minute = 0; minute <= 2 * 24 * 60; minute += 5)
    if (shouldPage(paged, candidate(), at(minute))) paged.push(opened(minute));
  expect(paged.map((page) => (page.at - START) / MINUTE)).toEqual([0, 15, 75, 315, 1035, 1755, 2475]);
});

test("a problem that alternates with another is no storm", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", "b"), { minLength: 288, maxLength: 288 }), (abouts) => {
      const paged: JournalEntry[] = [];
      for (const [index, about] of abouts.entries())
        for (const repeats of [true, false])
          if (shouldPage(paged, candidate({ about, repeats }), at(index * 5))) paged.push(opened(index * 5, { about }));
      // A day of sweeps: at most five pages of each, as if each were alone.
      expect(paged.length).toBeLessThanOrEqual(10);
    }),
    { numRuns: 50 },
  );
});

test("an incident's openings are those since its last resolution", () => {
  const entries = [opened(0), resolved(1), opened(2), opened(3, { key: "l" }), opened(4)];
  expect(openingsOf(entries, "k").map((page) => page.at)).toEqual([at(2), at(4)]);
  expect(openingsOf([opened(0), resolved(1)], "k")).toEqual([]);
});
