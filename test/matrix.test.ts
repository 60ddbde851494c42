import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { PAGE, pageOf, partsOf } from "../lab/matrix/page.ts";
import { KINDS, nameOfKind, planOf, trialsOf, UPGRADES, VERSIONS, versionsOf } from "../lab/matrix/plan.ts";
import { readTries, type Step, type Try } from "../lab/matrix/records.ts";

/** The parts of the matrix that need no server, and the page that it writes. */

describe("docs/servers.md", () => {
  test("follows from the raw results (npm run matrix -- --page writes it)", () => {
    const page = readFileSync(PAGE, "utf8");
    expect(pageOf(page, readTries())).toBe(page);
  });

  test("every raw result is of a known kind of world", () => {
    const known = new Set(KINDS.map(nameOfKind));
    expect(readTries().filter(({ world }) => !known.has(world))).toEqual([]);
  });
});

const step = (rung: Step["rung"], more: Partial<Step> = {}): Step => ({
  rung,
  dead: [],
  harmed: [],
  lost: [],
  panics: 0,
  seconds: 12.4,
  ...more,
});

const tried = (more: Partial<Try>): Try => ({
  version: "2.10.20",
  world: "cluster/restarted/relight",
  at: "2030-01-01T00:00:00.000Z",
  tools: { node: "24.0.0", "@nats-io/jetstream": "3.4.0" },
  uses: 20,
  dead: ["A", "B", "C"],
  destroyed: [],
  panics: 0,
  steps: [],
  lost: [],
  seconds: 60,
  ...more,
});

const part = (name: string, tries: readonly Try[]): string => new Map(partsOf(tries)).get(name) ?? "";

describe("a table of the page", () => {
  const healed = { verdict: "healthy", outcome: "healed", rungs: ["touch-metadata helped"], seconds: 30.2, wrong: [] };

  const refused = { ...healed, verdict: "dead", outcome: "refused", rungs: ["touch-metadata refused"] };
  const failed = { ...healed, verdict: "assets.not_settled", outcome: "none", rungs: [] };

  test.each<[string, string, Partial<Try>]>([
    ["a remedy that helps, with its time", "revives 1 of 1, 12 s", { steps: [step("touch")] }],
    [
      "Relight, with the time of its command",
      "revives 1 of 1, 30 s",
      { steps: [step("relight", { relight: healed })] },
    ],
    ["a panic, whatever works afterwards", "**panics** 1 of 1", { steps: [step("touch", { panics: 2 })] }],
    ["no help", "no help 1 of 1", { steps: [step("touch", { dead: ["A", "B"] })] }],
    ["half a help", "leaves 1 dead 1 of 1", { steps: [step("touch", { dead: ["A"] })] }],
    ["harm", "**destroys** 1 of 1", { steps: [step("touch", { dead: ["A", "B", "C"], harmed: ["C"] })] }],
    [
      "that Relight refused, even if something else stopped meanwhile",
      "refuses 1 of 1",
      { steps: [step("relight", { relight: refused, dead: ["A", "B", "C", "D"], harmed: ["D"] })] },
    ],
    [
      "an error of Relight",
      "fails (assets.not_settled) 1 of 1",
      { steps: [step("relight", { relight: failed, dead: ["A"] })] },
    ],
    ["panics before any remedy", "**panics by themselves**, 1 of 1", { panics: 1 }],
    ["what did not die", "nothing, 1 of 1", { dead: [] }],
  ])("says %s", (_, text, more) => {
    expect(part("cluster-restarted", [tried(more)])).toContain(text);
  });

  test("does not count what could not be tried, and says so", () => {
    const tries = [tried({}), tried({ invalid: "no server" })];
    expect(part("tried", tries)).toContain("1 more could not be built");
    expect(part("cluster-restarted", [tried({ invalid: "no server" })])).toBe("Not tried yet.");
  });

  test("counts what Relight got wrong", () => {
    const wrong = { ...healed, wrong: ["false-healthy: R1: publish: no responders"] };
    expect(part("tried", [tried({ steps: [step("relight", { relight: wrong })] })])).toContain(
      "1 times it said healthy and the judge found something dead",
    );
  });

  test("lists versions in their order, mixtures after the older one", () => {
    const versions = ["2.10.9", "2.9.25+2.10.0", "2.10.20", "2.9.25"];
    const rows = part(
      "cluster-restarted",
      versions.map((version) => tried({ version })),
    )
      .split("\n")
      .slice(2);
    expect(rows.map((row) => row.split(" | ")[0])).toEqual([
      "| 2.9.25",
      "| 2.9.25 (two), 2.10.0 (one)",
      "| 2.10.9",
      "| 2.10.20",
    ]);
  });
});

describe("the worlds", () => {
  test("have names of their own", () => {
    const names = KINDS.map(nameOfKind);
    expect(new Set(names).size).toBe(names.length);
  });

  test("are chosen by parts of their names; mixtures are clusters", () => {
    expect(trialsOf(["2.10.27"], ["single/expired"]).map(({ kind }) => nameOfKind(kind))).toEqual([
      "single/expired/relight",
      "single/expired/by-hand",
    ]);
    expect(trialsOf(["2.10.27+2.10.28"], ["single/expired"])).toEqual([]);
    expect(trialsOf(["2.10.27"], ["nothing"])).toEqual([]);
  });

  test("can exist: replicas fit the servers, and copies have their origins", () => {
    for (const trial of trialsOf([...VERSIONS, ...UPGRADES], [])) {
      const { streams, topology, versions = [] } = planOf(trial);
      const most = topology === "cluster" ? 3 : 1;
      expect([0, most]).toContain(versions.length);
      expect(streams.filter(({ replicas }) => replicas > most)).toEqual([]);
      const names = new Set(streams.map(({ name }) => name));
      for (const { mirrorOf, sourcesOf = [] } of streams)
        for (const origin of [...sourcesOf, ...(mirrorOf === undefined ? [] : [mirrorOf])])
          expect(names).toContain(origin);
    }
  });

  test("of an upgrade have one server of the newer version", () => {
    expect(versionsOf("2.10.27+2.10.28")).toEqual(["2.10.27", "2.10.27", "2.10.28"]);
    expect(versionsOf("2.10.27")).toEqual(["2.10.27"]);
  });
});

describe("the command", () => {
  const main = join(import.meta.dirname, "..", "lab", "matrix", "main.ts");
  const run = (...args: string[]): Promise<readonly [number, string]> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [main, ...args], (_, stdout, stderr) =>
        resolve([child.exitCode ?? -1, stdout + stderr]),
      );
    });

  test("explains itself, and refuses what it does not know", async () => {
    expect(await run("--help")).toEqual([0, expect.stringContaining("cluster/restarted/relight")]);
    expect(await run("2.10")).toEqual([3, expect.stringContaining("not a version: 2.10")]);
    expect(await run("2.10.27", "nothing")).toEqual([3, expect.stringContaining("no world has nothing")]);
    expect(await run("all", "single", "more")).toEqual([3, expect.stringContaining("too many arguments")]);
    expect(await run("--again", "often")).toEqual([3, expect.stringContaining("a number is not one")]);
  });
});
