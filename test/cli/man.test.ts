import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { program } from "../../cli/relight.ts";
import { MAN_PAGE, manPage } from "../../scripts/man.ts";

const has = (tool: string, option: string): boolean => spawnSync(tool, [option]).error === undefined;
const testWith = (tool: string, option: string, name: string, run: () => void): void =>
  has(tool, option) ? test(name, run) : test.skip(`${name} (skipped: ${tool} is not installed)`, run);

describe("the manual page", () => {
  test("is what the command tree says (npm run docs writes it)", () => {
    expect(readFileSync(MAN_PAGE, "utf8")).toBe(manPage());
  });

  test("has every command and every option", () => {
    const page = manPage().replaceAll("\\-", "-");
    for (const command of program.commands.flatMap((one) => (one.commands.length > 0 ? one.commands : [one]))) {
      expect(page).toContain(
        `.B relight ${command.parent === program ? "" : `${command.parent?.name()} `}${command.name()}`,
      );
      for (const { flags } of command.options) expect(page).toContain(`.B ${flags}`);
    }
  });

  testWith("mandoc", "-h", "has nothing that mandoc warns of", () => {
    const { stdout, stderr } = spawnSync("mandoc", ["-T", "lint", "-W", "warning", MAN_PAGE], { encoding: "utf8" });
    // A date would change the page without a change of the commands.
    const others = (stdout + stderr).split("\n").filter((line) => line !== "" && !line.includes("missing date"));
    expect(others).toEqual([]);
  });

  testWith("man", "--version", "is rendered by man without a warning", () => {
    const env = { ...process.env, MANWIDTH: "80", LC_ALL: "C.UTF-8", MANPAGER: "cat" };
    const { stdout, stderr } = spawnSync("man", ["--warnings", "-l", MAN_PAGE], { encoding: "utf8", env });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/NAME\s+relight - keeps NATS accounts alive/);
  });
});
