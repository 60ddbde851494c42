import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { CODES } from "../../cli/codes.ts";
import { visible } from "../../cli/colors.ts";
import { explain } from "../../cli/explain.ts";
import { explainCode, hintForCode } from "../../cli/explain-code.ts";
import { widthOf } from "../../cli/table.ts";
import { anchorsOf, codeIn, tablesOf } from "../support/markdown.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (page: string): string => readFileSync(join(root, page), "utf8");
const linesOf = (code: string): readonly string[] => explainCode(code)?.lines().map(visible) ?? [];

describe("relight explain CODE", () => {
  test.each(["finding", "warning", "refusal", "rung", "error", "kind"])(
    "explains every %s of the reference",
    (firstHead) => {
      const tables = tablesOf(read("docs/reference.md")).filter(({ head }) => head[0] === firstHead);
      const codes = tables.flatMap(({ rows }) => rows.flatMap(([first = ""]) => codeIn(first)));
      expect(codes.length).toBeGreaterThan(5);
      expect(codes.filter((code) => explainCode(code) === undefined)).toEqual([]);
    },
  );

  test.each([...new Set(CODES.map(({ code }) => code))])("%s: fits into 80 columns, and its page exists", (code) => {
    for (const line of linesOf(code)) expect({ line, width: widthOf(line) < 80 }).toEqual({ line, width: true });
    for (const { see, parts } of CODES.filter((one) => one.code === code)) {
      const [page = "", anchor = ""] = see.split("#");
      expect(anchorsOf(read(page))).toContain(anchor);
      for (const [, text] of parts) expect(text).not.toBe("");
    }
  });

  test("shows the runbook's steps for the class of a page", () => {
    const text = linesOf("account_expired").join("\n");
    expect(text).toMatch(/ {2}1\. relight renew APP signs the last claims again/);
    expect(text).toContain("Do not restart a server");
    expect(text).not.toMatch(/\*\*|jetstream_dead/);
  });

  test("explains each meaning of a word with several", () => {
    const kinds = explainCode("limits_reached");
    expect(kinds?.json).toMatchObject({ code: "limits_reached", explanations: [{ kind: "class of a page" }] });
    expect(explainCode("degraded")?.lines()[0]).toContain("degraded");
  });

  test("is not about files: a known code is one even if a file has its name; others are read", async () => {
    expect(explainCode("./limit.near")).toBeUndefined();
    await expect(explain(["limit.neer"])).rejects.toThrow("there is no code limit.neer; did you mean limit.near?");
    await expect(explain(["./none"])).rejects.toThrow(/^the log .\/none does not exist$/);
    expect(hintForCode("qqqqqqqqqqqq")).toBe(", and there is no code qqqqqqqqqqqq");
  });
});
