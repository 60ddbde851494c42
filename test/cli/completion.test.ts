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
  `cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o }\naccounts:\n${["APP", "ORDERS", "A B"].map((name) => `  - { id: ${createAccount().getPublicKey()}, name: ${name} }`).join("\n")}\n`,
);
for (const [shell, script] of Object.entries(SHELLS)) writeFileSync(join(home, shell), `${script}\n`);
const env = { ...process.env, PATH: `${join(home, "bin")}:${process.env["PATH"]}`, HOME: home, TERM: "dumb" };

test("the hidden command reads the configuration, and a journal only if it is there", () => {
  const run = (...words: string[]): string =>
    execFileSync(join(home, "bin", "relight"), ["__complete", ...words], { cwd: home, env, encoding: "utf8" });
  expect(run("verify", "")).toBe("A B\taccount\nAPP\taccount\nORDERS\taccount\n");
  expect(run("-c", "none.yaml", "verify", "")).toBe("");
  expect(spawnSync("ls", [home], { encoding: "utf8" }).stdout).not.toContain("sqlite");
});

const has = (shell: string): boolean => spawnSync(shell, ["--version"]).status === 0;
const describeShell = (shell: string, suite: () => void): void =>
  has(shell) ? describe(shell, suite) : describe.skip(`${shell} (skipped: it is not installed)`, suite);

describeShell("bash", () => {
  const completed = (...words: string[]): string[] => {
    const script = `source ./bash; COMP_WORDS=(relight "$@"); COMP_CWORD=$#; _relight relight; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const run = execFileSync("bash", ["--norc", "-c", script, "bash", ...words], { cwd: home, env, encoding: "utf8" });
    return run.trim().split("\n");
  };

  test("completes commands, accounts (quoted) and files", () => {
    expect(completed("stat")).toEqual(["status"]);
    expect(completed("verify", "")).toEqual(["A\\ B", "APP", "ORDERS"]);
    expect(completed("push", "relight.y")).toEqual(["relight.yaml"]);
  });
});

describeShell("fish", () => {
  test("completes commands, accounts and files", () => {
    const completed = (line: string): string =>
      execFileSync("fish", ["--no-config", "-c", `source ./fish; complete -C '${line}'`], {
        cwd: home,
        env,
        encoding: "utf8",
      });
    expect(completed("relight stat")).toMatch(/^status\tshow every account/);
    expect(completed("relight verify ")).toBe("A B\taccount\nAPP\taccount\nORDERS\taccount\n");
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
            { after: "ORDERS", keys: "\u0015exit\n" },
          ],
        });
        expect(shown).toContain("relight verify ORDERS");
      });
    });
});
