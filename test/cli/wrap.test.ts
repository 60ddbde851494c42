import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { visible } from "../../cli/colors.ts";
import { widthOf } from "../../cli/table.ts";
import { wrapped } from "../../cli/wrap.ts";

describe("a long line", () => {
  test("breaks between words, and goes on further in", () => {
    expect(wrapped("  a bb ccc dddd", 10)).toEqual(["  a bb ccc", "    dddd"]);
    expect(wrapped("- one two three", 9, 2)).toEqual(["- one two", "  three"]);
    expect(wrapped("short", 10)).toEqual(["short"]);
  });

  test("cuts a word only if it is too long by itself", () => {
    expect(wrapped("see abcdefghijkl", 8)).toEqual(["see", "  abcdef", "  ghijkl"]);
  });

  test("never exceeds the width, and loses nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.integer({ min: 8, max: 90 }), (words, width) => {
        const line = words.join(" ");
        const lines = wrapped(line, width);
        for (const one of lines) expect(widthOf(one)).toBeLessThanOrEqual(width);
        const letters = (text: string): string => visible(text).replaceAll(/\s/g, "");
        expect(letters(lines.join(""))).toBe(letters(line));
      }),
    );
  });
});
