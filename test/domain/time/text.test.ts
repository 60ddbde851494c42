import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { clip, counted, listed, onOneLine } from "../../../lib/domain/time/text.ts";

test.each([
  [0, "0 streams"],
  [1, "1 stream"],
  [2, "2 streams"],
])("%d streams are counted in good English", (count, expected) => {
  expect(counted(count, "stream")).toBe(expected);
});

test.each<[readonly string[], string]>([
  [[], ""],
  [["A"], "A"],
  [["A", "B", "C"], "A, B, C"],
  [["A", "B", "C", "D"], "A, B, C and 1 more"],
])("a list of %j is shown in part, and says how many are left out", (names, expected) => {
  expect(listed(names, 3)).toBe(expected);
});

test.each([
  ["a line break", "A\nAPP is healthy", "A APP is healthy"],
  ["an escape sequence", "A\u001b[2K\u0007", "A [2K"],
  ["characters that change direction", "A\u202Egnp.exe\u2066", "A gnp.exe"],
  ["characters of no width", "A\u200B\u200D\uFEFFB", "A B"],
  ["line separators", "A\u2028B\u2029", "A B"],
  ["half a character", "A\uD83D", "A\uFFFD"],
])("a text with %s is one visible line", (_what, text, expected) => {
  expect(onOneLine(text)).toBe(expected);
});

test("whatever is clipped is one whole line of at most so many characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (text, length) => {
      const line = clip(text, length);
      expect(line.length).toBeLessThanOrEqual(length);
      expect(line.isWellFormed()).toBe(true);
      expect(line).not.toMatch(/[\n\r\p{Cc}\u202A-\u202E\u2066-\u2069]/u);
    }),
  );
});
