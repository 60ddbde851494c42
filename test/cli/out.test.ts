import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, jest, test } from "@jest/globals";
import type { Command, Option } from "commander";
import fc from "fast-check";
import { terminalLine, visible } from "../../cli/colors.ts";
import { jsonParts, MadeList, printJson } from "../../cli/out.ts";
import { program, runCommandLine } from "../../cli/relight.ts";
import { renderDoctor } from "../../cli/render-doctor.ts";
import { errorLines } from "../../cli/session.ts";
import { fitting, tableOf, widthOf } from "../../cli/table.ts";
import { isPrintable } from "../../lib/domain/time/printable.ts";
import { redact } from "../../lib/domain/time/redact.ts";
import { RelightError } from "../../lib/errors.ts";

/** What somebody may put into a stream's, account's or client's name to forge a line or to move the cursor. */
const ATTACKS = [
  "\n",
  "\r",
  "\u001b[2J",
  "\u001b]0;title\u0007",
  "\u009b31m",
  "\u202e",
  "\u2066",
  "\u200b",
  "\u2028",
  "\0",
];
const hostile = fc
  .array(fc.oneof(fc.constantFrom(...ATTACKS, "\n2 accounts: 2 healthy"), fc.string(), fc.string({ unit: "binary" })))
  .map((parts) => parts.join(""));

describe("text for people", () => {
  test("is on one line and moves nothing, whatever is in a name", () => {
    fc.assert(
      fc.property(hostile, hostile, (one, other) => {
        const line = terminalLine(`${one}: ${other}`);
        expect(isPrintable(line)).toBe(true);
        expect(visible(`${one}: ${other}`)).not.toMatch(/\n/);
      }),
    );
  });

  test("has as many lines in a table as there are rows", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(hostile, hostile), { maxLength: 5 }), (rows) => {
        const lines = tableOf(["NAME", "WHAT"], rows).map(terminalLine);
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(isPrintable(line)).toBe(true);
      }),
    );
  });

  test("of an error is its message, its advice, and a line for each fault of a configuration", () => {
    const faults = ["a: is \n missing", "b: too"];
    const message = `the configuration x has 2 faults:${faults.map((fault) => `\n  - ${fault}`).join("")}`;
    const error = new RelightError("config.invalid", message, { details: { faults } });
    expect(errorLines(error, "relight").map(terminalLine)).toEqual([
      "relight: the configuration x has 2 faults:",
      "  - a: is \\n missing",
      "  - b: too",
      expect.stringMatching(/^ {2}.*\[config\.invalid\]$/),
    ]);
    const forged = errorLines(new RelightError("account.unknown", "no \n account"), "relight").map(terminalLine);
    expect(forged).toHaveLength(2);
  });

  test("of a report that has many names hides none", () => {
    const report = { cluster: undefined, manifests: [{ file: "a\u001b[31m\nb", containers: [] }] };
    const lines = renderDoctor(report).map(terminalLine);
    expect(lines.at(-1)).toContain("a\\u001b[31m\\nb");
  });
});

describe("a document for programs", () => {
  test("is the same text in parts as in one, however long its lists are", () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    const document = fc.oneof(fc.dictionary(fc.string(), fc.option(value, { nil: undefined })), value);
    const lists = fc.dictionary(
      fc.constantFrom("a", 'b"', "token"),
      fc.array(fc.object({ maxDepth: 1 }), { maxLength: 3 }),
    );
    fc.assert(
      fc.property(document, lists, fc.nat(2), (one, long, indent) => {
        const repeated = Object.entries(long).map(([key, items]) => [
          key,
          Array.from({ length: 400 }, () => items).flat(),
        ]);
        const whole =
          typeof one === "object" && !Array.isArray(one) ? { ...one, ...Object.fromEntries(repeated) } : one;
        const text = JSON.stringify(redact(whole), null, indent);
        expect([...jsonParts(whole, indent)].join("")).toBe(text);
      }),
      { numRuns: 30 },
    );
    expect([...jsonParts({ list: Array.from({ length: 5_000 }, (_, n) => n) }, 2)].length).toBeGreaterThan(5);
  });

  test.each([0, 1, 500, 501, 1_700])(
    "is the same text if the %i members of a list are made when they are printed",
    (length) => {
      const items = Array.from({ length }, (_, index) => index);
      const make = (item: number) => ({ item, token: "secret" });
      for (const indent of [0, 2]) {
        const text = [...jsonParts({ a: 1, list: new MadeList(items, make), b: undefined }, indent)].join("");
        expect(text).toBe(JSON.stringify(redact({ a: 1, list: items.map(make) }), null, indent));
      }
    },
  );

  test("is printed as fast as it is read", async () => {
    const written: string[] = [];
    let isRead = false;
    const writing = jest.spyOn(process.stdout, "write").mockImplementation((text) => {
      written.push(String(text));
      return isRead;
    });
    try {
      const list = Array.from({ length: 1_500 }, (_, index) => index);
      const printing = printJson({ list });
      const parts = [...jsonParts({ list }, 2)];
      expect(written).toEqual(parts.slice(0, 1));
      process.stdout.emit("drain");
      await nextTurn();
      expect(written).toEqual(parts.slice(0, 2));
      isRead = true;
      process.stdout.emit("drain");
      await printing;
      expect(written).toEqual([...parts, "\n"]);
    } finally {
      writing.mockRestore();
    }
  });
});

describe("a table", () => {
  test("has columns as wide as what is seen in them", () => {
    expect(widthOf("日本")).toBe(4);
    expect(widthOf("Größe_1")).toBe(7);
    expect(widthOf("e\u0301")).toBe(1);
    expect(
      tableOf(
        ["A", "B"],
        [
          ["日本", "x"],
          ["abc", "y"],
        ],
      ),
    ).toEqual([" A     B", " 日本  x", " abc   y"]);
  });

  test("cuts long names", () => {
    expect(fitting("abcdef", 6)).toBe("abcdef");
    expect(fitting("abcdefg", 6)).toBe("abcde…");
    expect(widthOf(fitting("日本日本日本", 6))).toBeLessThanOrEqual(6);
  });

  test("of 20,000 rows takes no time to speak of", () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => ["account", `ACCOUNT-${index}`, "2030-01-01", "Größe"]);
    const began = performance.now();
    expect(tableOf(["KIND", "WHAT", "EXPIRES", ""], rows)).toHaveLength(20_001);
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

describe("an option", () => {
  const optionsOf = (command: Command): readonly (readonly [string, Option])[] => [
    ...command.options.map((option) => [`${command.name()} ${option.flags}`, option] as const),
    ...command.commands.flatMap(optionsOf),
  ];
  const parsed = optionsOf(program).filter(([, option]) => option.parseArg !== undefined);
  const VALUES = ["off", "0", "1", "5m", "90d", "unlimited", "512MiB", "R1,R3", "text", ""];

  test("is parsed somewhere", () => expect(parsed.length).toBeGreaterThan(15));

  // Commander takes undefined and null for an option without a value, and hands on an empty string.
  test.each(parsed)("%s is a value or an error, never nothing", (_name, option) => {
    for (const value of VALUES)
      try {
        expect(option.parseArg?.(value, option.defaultValue as never) ?? "nothing").not.toBe("nothing");
      } catch (error) {
        expect(error).toMatchObject({ code: "commander.invalidArgument" });
      }
  });
});

describe("the command", () => {
  async function run(...args: string[]) {
    const out: string[] = [];
    const aside: string[] = [];
    const spies = [
      jest.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0),
      jest.spyOn(process.stderr, "write").mockImplementation((text) => aside.push(String(text)) > 0),
    ];
    try {
      const exit = await runCommandLine(args);
      return { exit, stdout: out.join(""), stderr: aside.join("") };
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  }

  test.each([
    [["--json"], "there is no command"],
    [["--json", "verify"], "missing required argument 'account'"],
    [["stats", "--json"], "unknown command 'stats' (Did you mean status?)"],
    [["status", "--jsno", "--json"], "unknown option '--jsno' (Did you mean --json?)"],
    [["plan", "--until", "soon", "--json"], expect.stringContaining("write a length of time")],
    [["jetstream", "--json"], expect.anything()],
    [["forget", "APP", "--reason", "a\nb", "--json"], expect.stringContaining("on one line")],
    [["explain", "/dev/zero", "--json"], "the log /dev/zero is a device, not a file"],
  ])("%j ends with the error as JSON, and nothing else", async (args, message) => {
    const { exit, stdout, stderr } = await run(...args);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "usage", message, retryable: false } });
    expect(exit).toBe(3);
  });

  test("says an error to people once, and shows no secret that was pasted in the wrong place", async () => {
    const seed = `SUA${"B".repeat(55)}`;
    for (const args of [[seed], ["status", `--${seed}`], ["plan", "--until", seed], ["verify", "-c", seed, "APP"]]) {
      const { exit, stdout, stderr } = await run(...args);
      expect(stdout).toBe("");
      expect(stderr).toMatch(/^relight: .*\[seed\]/);
      expect(stderr).not.toContain(seed);
      expect(exit).toBe(3);
    }
  });

  test("explains a line without end in a bounded time", async () => {
    const folder = mkdtempSync(join(tmpdir(), "relight-explain-"));
    const file = join(folder, "log");
    writeFileSync(file, "-----BEGIN x-----".repeat(40_000));
    const began = performance.now();
    expect(await run("explain", file)).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining("1 line: 0 explained"),
    });
    expect(performance.now() - began).toBeLessThan(10_000);
    rmSync(folder, { recursive: true });
  });
});
