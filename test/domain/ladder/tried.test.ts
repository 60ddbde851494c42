import { describe, expect, test } from "@jest/globals";
import { compare } from "semver";
import { readTries, type Step, type Try, valid } from "../../../lab/matrix/records.ts";
import {
  answerOf,
  ELECTION,
  type Outcome,
  type Practice,
  type Stretch,
  survivesElection,
  UPDATE,
  untried,
  updateObjection,
} from "../../../lib/domain/ladder/tried/tried.ts";

/** What Relight dares on which version, and what was really tried (docs/servers). */

describe("an update of a stream without its Raft node", () => {
  test.each([
    ["2.9.25", true],
    ["2.10.0", true],
    ["2.10.14", true],
    ["2.10.16", false],
    ["2.10.27", false],
    ["2.11.15", false],
    ["2.12.5", false],
    ["2.12.8", true],
    ["2.12.15", true],
    ["2.15.2", true],
    ["2.15.9", true],
    // Nobody tried them, and one of their neighbors is not safe.
    ["2.9.15", false],
    ["2.10.15", false],
    ["2.12.7", false],
    // Beyond all that was tried.
    ["2.16.0", false],
    ["2.16.0-RC.1", false],
    ["2.12.8-RC.1", false],
    ["unknown", false],
  ])("on %s: %s", (version, isSafe) => {
    expect(answerOf(UPDATE, version).isSafe).toBe(isSafe);
    expect(updateObjection([{ name: "s1", version }]) === undefined).toBe(isSafe);
  });

  test("is refused with the servers, their versions and the reason", () => {
    const servers = ["2.15.2", "2.10.27", "2.10.15"].map((version, index) => ({ name: `s${index}`, version }));
    expect(updateObjection(servers)).toMatch(
      /^s1 \(2\.10\.27\), s2 \(2\.10\.15\) may not survive an update: 2\.10\.27: it panics, .*#7229.*; 2\.10\.15: .* counts as 2\.10\.16/,
    );
  });

  test("says so on a version that nobody tried", () => {
    expect(untried(UPDATE, ["2.12.9", "2.12.9", "2.12.14"])).toEqual([
      expect.stringMatching(/^2\.12\.9: .*it was not tried, but 2\.12\.8 and 2\.12\.14/),
    ]);
  });
});

describe("an election while servers are damaged", () => {
  test.each([
    ["2.9.10", true],
    ["2.10.10", true],
    ["2.10.16", false],
    ["2.10.20", false],
    ["2.10.22", false],
    ["2.10.23", true],
    ["2.11.0-RC.1", false],
    ["2.15.2", true],
    ["2.16.0", true],
    ["unknown", false],
  ])("is survived on %s: %s", (version, isSafe) => {
    expect(survivesElection(version)).toBe(isSafe);
  });
});

describe("an untried version is treated as the more careful neighbor", () => {
  const practice = (outcomes: readonly Outcome[]): Practice => ({
    countsPreReleases: false,
    stretches: [
      {
        range: ">=1.0.0",
        isSafe: true,
        why: "it seems safe",
        outcomes: Object.fromEntries(outcomes.map((outcome, index) => [`1.${index * 2}.0`, outcome])),
      },
    ],
  });
  const safe = { tried: 3, panicked: 0 };

  test.each<[string, readonly Outcome[], boolean]>([
    ["both safe", [safe, safe], true],
    ["one panicked once", [safe, { tried: 3, panicked: 1 }], false],
    ["only one, and safe", [safe], true],
    ["none", [], true],
  ])("%s", (_, outcomes, isSafe) => {
    expect(answerOf(practice(outcomes), "1.1.0").isSafe).toBe(isSafe);
  });

  test("a single panic outweighs the source", () => {
    expect(answerOf(practice([{ tried: 10, panicked: 1 }]), "1.0.0")).toEqual({
      isSafe: false,
      why: "it seems safe; panicked in 1 of 10 tries",
    });
  });
});

describe("the data agree with docs/servers", () => {
  const touches = recorded(({ rung, relight }) => {
    const isTouched = (line: string): boolean => line.startsWith("touch-metadata") && !line.endsWith("refused");
    return rung === "touch" || relight?.rungs.some(isTouched) === true;
  });
  const elections = recorded(({ rung }) => rung === "meta-step-down" || rung === "restarts-leader-first");

  test.each([
    ["updates", UPDATE, touches],
    ["elections", ELECTION, elections],
  ] as const)("%s: no less was tried, and servers panicked where they say", (_, practice, seen) => {
    const told = new Map(practice.stretches.flatMap(({ outcomes }) => Object.entries(outcomes)));
    for (const [version, { tried, panicked }] of told) {
      const { tried: count = 0, panicked: often = 0 } = seen.get(version) ?? {};
      expect({ version, isTriedEnough: count >= tried, panicked: often > 0 }).toEqual({
        version,
        isTriedEnough: true,
        panicked: panicked > 0,
      });
    }
    expect([...seen.keys()].filter((version) => !told.has(version)).sort(compare)).toEqual([]);
  });

  test("each stretch on which updates are safe was tried ten times, without a panic", () => {
    for (const { range, outcomes } of UPDATE.stretches.filter(({ isSafe }) => isSafe)) {
      const all = Object.values(outcomes);
      const total = all.reduce((sum, { tried }) => sum + tried, 0);
      expect({ range, isEnough: total >= 10, panics: all.filter(({ panicked }) => panicked > 0) }).toEqual({
        range,
        isEnough: true,
        panics: [],
      });
    }
  });

  test("each version is in the stretch that its outcomes are listed in", () => {
    const misplaced = (stretch: Stretch): readonly string[] =>
      Object.keys(stretch.outcomes).filter((version) => {
        const own = { countsPreReleases: true, stretches: [{ ...stretch, outcomes: {} }] };
        return answerOf(own, version).why === "it was not tried";
      });
    expect([...UPDATE.stretches, ...ELECTION.stretches].flatMap(misplaced)).toEqual([]);
  });
});

/** How often something was done to damaged clusters of one version, and how often a server panicked. */
function recorded(isMeant: (step: Step) => boolean): ReadonlyMap<string, Outcome> {
  const found = new Map<string, Outcome>();
  const isDamaged = ({ world, version }: Try): boolean =>
    world.startsWith("cluster/restarted") && !version.includes("+");
  for (const { version, steps } of valid(readTries()).filter(isDamaged))
    for (const { panics } of steps.filter(isMeant)) {
      const { tried, panicked } = found.get(version) ?? { tried: 0, panicked: 0 };
      found.set(version, { tried: tried + 1, panicked: panicked + (panics > 0 ? 1 : 0) });
    }
  return found;
}
