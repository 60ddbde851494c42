import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { candidatesFor, FILES } from "../../cli/completion/candidates.ts";
import { SHELLS } from "../../cli/completion/scripts.ts";
import { program } from "../../cli/relight.ts";
import { atTerminal, describeWithTerminal } from "../support/terminal.ts";

const names = {
  accounts: async (config?: string) => (config === undefined ? ["APP", "ORDERS"] : [`of ${config}`]),
  contexts: () => ["prod"],
  codes: () => ["limit.near"],
};
const offered = async (...words: string[]): Promise<readonly string[]> =>
  (await candidatesFor(program, words, names)).map(({ text }) => text);

describe("what can be typed next", () => {
  test.each<[string, string[], string[]]>([
    ["a command", ["stat"], ["status"]],
    ["a command of a group", ["jetstream", ""], ["enable", "limits"]],
    ["an account", ["verify", ""], ["APP", "ORDERS"]],
    ["an account by its beginning", ["heal", "--dry-run", "O"], ["ORDERS"]],
    ["an account of the named configuration", ["-c", "x.yaml", "renew", ""], ["of x.yaml"]],
    ["nothing after the last argument", ["verify", "APP", ""], []],
    ["an option", ["plan", "--un"], ["--until"]],
    ["an option of every command", ["status", "--js"], ["--json"]],
    ["an option only once", ["plan", "--until", "90d", "--until"], []],
    ["a value of its choices", ["completion", ""], ["bash", "zsh", "fish"]],
    ["a context", ["--context", ""], ["prod"]],
    ["a code or a file", ["explain", "lim"], ["limit.near", FILES]],
    ["a file", ["push", ""], [FILES]],
    ["a file as an option's value", ["doctor", "--manifest", "a", "--manifest", ""], [FILES]],
    ["nothing as the value of a reason", ["forget", "APP", "--reason", ""], []],
    ["an account after --", ["verify", "--", "A"], ["APP"]],
  ])("%s", async (_what, words, expected) => {
    expect(await offered(...words)).toEqual(expected);
  });

  test("every command, and none that is hidden", async () => {
    const all = await offered("");
    expect(all).toEqual(program.commands.map((command) => command.name()));
    expect(all).not.toContain("__complete");
  });
});

const home = mkdtempSync(join(tmpdir(), "relight-completion-"));
afterAll(() => rmSync(home, { recursive: true }));
const root = join(import.meta.dirname, "..", "..");
mkdirSync(join(home, "bin"));
const flags = "--disable-warning=ExperimentalWarning";
writeFileSync(
  join(home, "bin", "relight"),
  `#!/bin/sh\nexec '${process.execPath}' ${flags} '${join(root, "cli", "main.ts")}' "$@"\n`,
);
chmodSync(join(home, "bin", "relight"), 0o755);
writeFileSync(
  join(home, "relight.yaml"),
  `cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o }\naccounts:\n${["APP", "ORDERS", "A B", "We ird:na", `it's "q"`].map((name) => `  - { id: ${createAccount().getPublicKey()}, name: ${JSON.stringify(name)} }`).join("\n")}\n`,
);
for (const [shell, script] of Object.entries(SHELLS)) writeFileSync(join(home, shell), `${script}\n`);
const env = { ...process.env, PATH: `${join(home, "bin")}:${process.env["PATH"]}`, HOME: home, TERM: "dumb" };

const ALL = ["A B", "APP", "ORDERS", "We ird:na", `it's "q"`].map((name) => `${name}\taccount\n`).join("");

test("the hidden command reads the configuration, and a journal only if it is there", () => {
  const run = (...words: string[]): string =>
    execFileSync(join(home, "bin", "relight"), ["__complete", ...words], { cwd: home, env, encoding: "utf8" });
  expect(run("verify", "")).toBe(ALL);
  expect(run("verify", "We ird:")).toBe("We ird:na\taccount\n");
  expect(run("-c", "none.yaml", "verify", "")).toBe("");
  expect(spawnSync("ls", [home], { encoding: "utf8" }).stdout).not.toContain("sqlite");
});

const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;
const describeShell = (shell: string, suite: () => void): void =>
  has(shell) ? describe(shell, suite) : describe.skip(`${shell} (skipped: it is not installed)`, suite);

describeShell("bash", () => {
  /** @param replaced the part of the line that bash replaces */
  const completed = (line: string, replaced = ""): string[] => {
    const script = `source ./bash; COMP_LINE="$1"; COMP_POINT=\${#1}; _relight relight "$2"; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const args = ["--norc", "-c", script, "bash", `relight ${line}`, replaced];
    return execFileSync("bash", args, { cwd: home, env, encoding: "utf8" }).trim().split("\n");
  };

  test("completes commands, accounts (quoted) and files", () => {
    expect(completed("stat", "stat")).toEqual(["status"]);
    const all = ["A\\ B", "APP", "ORDERS", "We\\ ird:na", `it\\'s\\ \\"q\\"`];
    expect(completed("verify ")).toEqual(all);
    expect(completed("-c 'relight.yaml' verify ")).toEqual(all);
    expect(completed("push relight.y", "relight.y")).toEqual(["relight.yaml"]);
    expect(completed("verify We\\ ird:n", "n")).toEqual(["na"]);
  });
});

describeShell("fish", () => {
  test("completes commands, accounts and files", () => {
    const completed = (line: string): string =>
      execFileSync("fish", ["--no-config", "-c", `source ./fish; complete -C "$LINE"`], {
        cwd: home,
        env: { ...env, LINE: line },
        encoding: "utf8",
      });
    expect(completed("relight stat")).toMatch(/^status\tshow every account/);
    // fish sorts them itself.
    expect(completed("relight verify ").split("\n").sort()).toEqual(ALL.split("\n").sort());
    for (const typed of ["We\\ i", "We\\ ird:", `"We ird:n`, "'We i"])
      expect(completed(`relight verify ${typed}`)).toBe("We ird:na\taccount\n");
    expect(completed("relight push relight.y")).toMatch(/^relight.yaml\b/);
  });
});

describeWithTerminal("a Tab at a terminal", () => {
  const TAB = "\t";
  const shells: readonly [string, string][] = [
    ["bash", "bash --norc -i"],
    ["zsh", "zsh -f -i"],
  ];
  for (const [shell, command] of shells)
    describeShell(shell, () => {
      test("completes a command and an account", async () => {
        const setup = shell === "zsh" ? "autoload -U compinit; compinit -u -d ./dump; " : "";
        const { shown } = await atTerminal(command, {
          cwd: home,
          env: { ...env, PROMPT_EOL_MARK: "" },
          typed: [
            { after: /[#$%] $/, keys: `PROMPT='ready> '; PS1=$PROMPT; ${setup}source ./${shell}; echo so""urced\n` },
            { after: /sourced\s+ready> $/, keys: `relight veri${TAB}` },
            { after: "verify ", keys: `O${TAB}` },
            // Ctrl-U empties the line.
            { after: "ORDERS", keys: `\u0015relight verify We\\ i${TAB}` },
            { after: "We\\ ird:na ", keys: `\u0015relight renew We\\ ird:${TAB}` },
            { after: "renew We\\ ird:na ", keys: `\u0015relight heal "We ird:${TAB}` },
            { after: `heal "We ird:na" `, keys: `\u0015relight plan 'it${TAB}` },
            { after: /plan 'it'\\''s "q"' /, keys: "\u0015exit\n" },
          ],
        });
        expect(shown).toContain("relight verify ORDERS");
      });
    });
});
