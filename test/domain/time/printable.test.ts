import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { isPrintable, printable, printableJson } from "../../../lib/domain/time/printable.ts";

const HOSTILE = ["\n", "\r", "\t", "\0", "\u001b[2J", "\u009b31m", "\u007f", "\u202e", "\u2066", "\u200b", "\ufeff"];
const text = fc
  .array(
    fc.oneof(fc.constantFrom(...HOSTILE, "\u2028", "\u2029", "\u3164", "\ufe0f", "\ud800", "\u{e0041}"), fc.string()),
  )
  .map((parts) => parts.join(""));

describe("text for a terminal", () => {
  test.each(HOSTILE)("shows %j instead of executing it", (char) => {
    expect(isPrintable(char)).toBe(false);
    expect(printable(`a${char}b`)).toMatch(/^a[!-~]+b$/);
  });

  test.each(["orders.>", "Größe_1", "日本", "naïve résumé", "Ω", "🚀"])("leaves %s unchanged", (name) => {
    expect(isPrintable(name)).toBe(true);
    expect(printable(name)).toBe(name);
  });

  test("is printable, whatever its source", () => {
    fc.assert(fc.property(text, (hostile) => expect(isPrintable(printable(hostile))).toBe(true)));
  });

  test("as JSON has the same meaning, and only its own line breaks", () => {
    fc.assert(
      fc.property(fc.jsonValue(), text, (value, hostile) => {
        const document = { value, [hostile]: [hostile] };
        const shown = printableJson(JSON.stringify(document, null, 2));
        expect(JSON.parse(shown)).toEqual(JSON.parse(JSON.stringify(document)));
        for (const line of shown.split("\n")) expect(isPrintable(line)).toBe(true);
      }),
    );
  });
});
