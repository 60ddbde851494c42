import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseConfig } from "../lib/config/config.ts";
import { FAILURE_CLASSES } from "../lib/domain/incidents/classes.ts";
import { pageText } from "../lib/domain/incidents/page-text.ts";
import { PAGES as PAGES_DOCUMENT, pagesDocument } from "../scripts/pages.ts";
import { CHECK_TABLES, DOCTOR, METRIC_TABLES, OBSERVABILITY, REFERENCE, withTables } from "../scripts/reference.ts";
import { exampleFaults, linkFaults } from "./support/doc-faults.ts";
import { incident } from "./support/escalation-contract.ts";
import { anchorsOf } from "./support/markdown.ts";
import { referenceFaults } from "./support/reference-faults.ts";

const root = join(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const readPage = (name: string): string => read(`docs/${name}`);
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: root });

describe("the reference", () => {
  const page = readFileSync(REFERENCE, "utf8");

  test("has a row for everything in the code, and nothing else (npm run docs writes some tables)", () => {
    expect(referenceFaults(page, readPage)).toEqual([]);
  });

  test("notices the removal of any row", () => {
    const lines = page.split("\n");
    const isRow = (line: string, index: number): boolean =>
      line.startsWith("|") && lines[index - 1]?.startsWith("|") === true && !/^\|[-| ]+$/.test(line);
    const rows = [...lines.keys()].filter((index) => isRow(lines[index] ?? "", index));
    expect(rows.length).toBeGreaterThan(300);
    const unnoticed = rows.filter(
      (index) => referenceFaults(lines.toSpliced(index, 1).join("\n"), readPage).length === 0,
    );
    expect(unnoticed.map((index) => lines[index])).toEqual([]);
  });

  test("has no row for something that does not exist", () => {
    const extra = page.replace("| `cluster.servers` |", "| `cluster.severs` | a typo | none |\n$&");
    expect(referenceFaults(extra, readPage)).toEqual(["cluster.severs is no key"]);
  });

  test("has every failure class", () => {
    for (const failureClass of FAILURE_CLASSES) expect(page).toContain(failureClass);
  });
});

test("the metrics in docs/observability.md match the code (npm run docs writes them)", () => {
  const metrics = readFileSync(OBSERVABILITY, "utf8");
  expect(metrics).toBe(withTables(metrics, METRIC_TABLES));
  const checks = readFileSync(DOCTOR, "utf8");
  expect(checks).toBe(withTables(checks, CHECK_TABLES));
});

test("docs/pages.md has the pages that are really sent (npm run docs writes it)", async () => {
  expect(readFileSync(PAGES_DOCUMENT, "utf8")).toBe(await pagesDocument());
});

describe("the runbook", () => {
  const page = readPage("runbook.md");
  const sections = new Map(page.split(/^## /m).map((section) => [section.split("\n")[0] ?? "", section]));

  test.each(FAILURE_CLASSES)("says what to do about %s", (failureClass) => {
    const section = sections.get(failureClass) ?? "";
    expect(anchorsOf(page)).toContain(failureClass);
    for (const part of ["**Users notice**", "**Relight tried**", "\n1. ", "**Do not** ", "**It ends** "])
      expect(section.replace("**Users notice**,", "**Users notice**")).toContain(part);
  });

  test("is where pages link to by default", () => {
    const { links } = parseConfig(
      "cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o }\n",
      "r",
    );
    for (const failureClass of FAILURE_CLASSES) {
      const [{ href } = { href: "" }] = pageText(incident({ failureClass }), links).links;
      const [file = "", anchor = ""] = href.split("#");
      expect(anchorsOf(read(file))).toContain(anchor);
    }
  });

  test("has no section about a class that is none", () => {
    const classes = [...sections.keys()].slice(1);
    expect(classes.filter((name) => !(FAILURE_CLASSES as readonly string[]).includes(name))).toEqual([]);
  });
});

test("all ways to restart are documented", () => {
  const cluster = "cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o }\n";
  const blocks = [...read("docs/restarts.md").matchAll(/```yaml\n(restart:[\s\S]*?)```/g)];
  const ways = blocks.map(([, yaml = ""]) => Object.keys(parseConfig(cluster + yaml, "r.yaml").restart ?? {})[0]);
  expect(ways).toEqual(["command", "webhook", "kubernetes"]);
});

test("every environment variable that the product reads is documented", () => {
  const sources = globSync("{lib,cli,functions}/**/*.ts", { cwd: root }).map(read).join();
  const names = new Set(sources.match(/\bRELIGHT_[A-Z_]+/g));
  const pages = PAGES.map(read).join();
  expect([...names].filter((name) => !pages.includes(name))).toEqual([]);
});

describe("every page", () => {
  test("is found", () => expect(PAGES.length).toBeGreaterThan(40));

  test.each(PAGES)("%s: its links work", (page) => {
    expect(linkFaults(page, read)).toEqual([]);
  });

  // Historical pages are not changed.
  const current = PAGES.filter((page) => page !== "CHANGELOG.md" && !page.startsWith("docs/decisions/"));
  test.each([...current, ...globSync(".github/**/*.yml", { cwd: root })])("%s: its examples are valid", (page) => {
    expect(exampleFaults(read(page))).toEqual([]);
  });

  const block = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\`\n`;
  test.each([
    ["an unknown command", "Say `relight revive APP`.", /no command revive/],
    ["an unknown option", "Say `relight plan --unitl 90d`.", /--unitl is unknown/],
    ["an unknown option of a command in a table", "| `relight heal APP --undelete` |", /--undelete is unknown/],
    ["a missing script", "Run `npm run chekc`.", /no `npm run chekc`/],
    ["a missing argument", block("sh", "npx relight heal   # APP"), /takes 1 to 1 arguments/],
    ["an argument too many", block("sh", "relight heal APP ORDERS"), /takes 1 to 1 arguments/],
    ["a missing option", block("sh", "relight forget APP"), /lacks --reason/],
    ["a service that calls with another option", block("ini", "ExecStart=/usr/bin/relight watch --jsno"), /--jsno/],
    ["an unknown key", block("yaml", "policy: { renewbefore: 3d }"), /policy.renewbefore: is an unknown key/],
    ["an invalid value", block("yaml", "cluster: { timeout: soon }"), /cluster.timeout: /],
    ["invalid YAML", block("yaml", "policy: { renewBefore: 3d"), /flow map/i],
    ["YAML of nothing known", block("yaml", "polices: []"), /neither a configuration nor a manifest/],
    ["invalid JSON", block("json", '{ "type": }'), /JSON/],
    [
      "probes on the full /healthz",
      block(
        "yaml",
        "spec: { template: { spec: { containers: [{ name: nats, livenessProbe: { httpGet: { path: /healthz, port: 8222 } } }] } } }",
      ),
      /healthz/,
    ],
  ])("finds %s", (_what, page, fault) => {
    expect(exampleFaults(page).join()).toMatch(fault);
  });

  test.each(["[gone](gone.md)", "[gone](tls.md#gone)", "[gone](#gone)"])("finds the dead link %s", (link) => {
    const faults = linkFaults("docs/keys.md", (file) => (file === "docs/keys.md" ? link : read(file)));
    expect(faults).toHaveLength(1);
  });
});

describe("the repository", () => {
  const workflows = globSync(".github/workflows/*.yml", { cwd: root }).map(read).join();

  test("pins every action by its digest, with its version beside it", () => {
    const actions = [...workflows.matchAll(/uses: *(.*)/g)].map(([, action]) => action);
    expect(actions.length).toBeGreaterThan(1);
    for (const action of actions) expect(action).toMatch(/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test("has a workflow that runs the README's commands", () => {
    for (const command of ["npm run quickstart", "npm test"]) {
      expect(read("README.md")).toContain(command);
      expect(workflows).toMatch(new RegExp(`- run: ${command}$`, "m"));
    }
  });

  test("asks bug reporters for the doctor's report", () => {
    expect(read(".github/ISSUE_TEMPLATE/bug.yml")).toContain("`relight doctor --json`");
  });
});
