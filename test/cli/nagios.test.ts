import { describe, expect, test } from "@jest/globals";
import { colors } from "../../cli/colors.ts";
import { nagiosError, nagiosLine } from "../../cli/nagios.ts";
import { RelightError } from "../../lib/errors.ts";

/** The form is that of the Monitoring Plugins' guidelines. */

describe("the line for monitoring plugins", () => {
  test.each([
    [0, "OK"],
    [1, "WARNING"],
    [2, "CRITICAL"],
    [3, "UNKNOWN"],
  ] as const)("says %s as %s, with performance data", (exit, word) => {
    const line = nagiosLine(exit, { text: "2 accounts", data: { accounts: 2, dead: 0 } });
    expect(line).toBe(`RELIGHT ${word} - 2 accounts | accounts=2 dead=0`);
  });

  test("is one line with one bar, without colors, whatever an account is called", () => {
    const text = `${colors.red("A|B")}\nRELIGHT OK - all is well | dead=0`;
    const line = nagiosLine(2, { text, data: { dead: 1 } });
    expect(line).toMatch(/^RELIGHT CRITICAL - A\/B/);
    expect(line.split("|")).toHaveLength(2);
    expect(line).not.toMatch(/\n/);
    expect(nagiosLine(0, { text: "x".repeat(2_000), data: {} }).length).toBeLessThan(600);
  });

  test("is one line for an error, with its state and what to do", () => {
    const error = new RelightError("config.invalid", "two faults:\na\nb");
    expect(nagiosError(error)).toBe(
      "RELIGHT UNKNOWN - two faults:; a; b [config.invalid] Fix each key that is named; docs/reference.md lists all keys.",
    );
  });
});
