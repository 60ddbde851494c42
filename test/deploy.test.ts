import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { parse, parseAllDocuments, stringify } from "yaml";
import { parseConfig } from "../lib/config/config.ts";
import type { AccountId } from "../lib/domain/claims/account.ts";
import { configText } from "../lib/domain/setup/config-text.ts";
import type { FoundOperator } from "../lib/domain/setup/found.ts";

/** What is in `deploy/` for installations without AWS, each checked by its own linter where that is installed. */

const root = join(import.meta.dirname, "..");
const deploy = (...names: readonly string[]): string => join(root, "deploy", ...names);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "relight-deploy-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: "pipe" });

/** `describe`, or a loud skip where the linter is missing. */
function describeWith(linter: string, suite: () => void): void {
  try {
    run("which", linter);
    describe(linter, suite);
  } catch {
    console.warn(`SKIPPED: ${linter} is not installed`);
    describe.skip(linter, suite);
  }
}

test("the documents' commands copy what init refers to, as typed", () => {
  const home = mkdtempSync(join(folder, "user of init "));
  const etc = mkdtempSync(join(folder, "etc-"));
  const names = ["LAB.jwt", "OK.nk", "AK.nk", "sys.creds"];
  for (const name of names) writeFileSync(join(home, name), name);
  const [jwt, key, accountKey, creds] = names.map((name) => join(home, name)) as [string, string, string, string];
  const account = { id: `A${"A".repeat(55)}` as AccountId, name: "APP", key: { file: accountKey, publicKey: "A" } };
  const lab = { id: "O", name: "LAB", jwt: `file:${jwt}`, folder: home, accounts: [account] };
  const text = configText({
    operator: { ...lab, keys: [], signingKeys: [], serviceUrls: [], systemCredentials: [] } as unknown as FoundOperator,
    servers: ["nats://127.0.0.1:4222"],
    serversFrom: "Here.",
    systemCredentials: `file:${creds}`,
    signingKey: { reference: `file:${key}`, about: "a key" },
    readOnly: false,
  });
  writeFileSync(join(home, "relight.yaml"), text);
  const [block = ""] = /^sed -n [\s\S]*?(?=^```)/m.exec(readFileSync(join(root, "docs", "install.md"), "utf8")) ?? [];
  const commands = block.replaceAll(" -o root -g relight", "").replaceAll("/etc/relight", etc);
  execFileSync("bash", ["-euc", commands], { cwd: home, stdio: "pipe" });
  expect(readdirSync(etc).sort()).toEqual([...names, "relight.yaml"].sort());
  const copied = readFileSync(join(etc, "relight.yaml"), "utf8");
  expect(copied).not.toContain(home);
  const config = parseConfig(copied.replace(account.id, createAccount().getPublicKey()), join(etc, "relight.yaml"));
  expect(config).toMatchObject({
    cluster: { systemCredentials: `file:${etc}/sys.creds` },
    operator: { jwt: `file:${etc}/LAB.jwt`, signingKey: `file:${etc}/OK.nk` },
    accounts: [{ signingKey: `file:${etc}/AK.nk` }],
  });
});

test("the unit, the chart and the documents give the same time to end, more than serve.grace", () => {
  const text = (...names: readonly string[]): string => readFileSync(join(root, ...names), "utf8");
  const [, unit] = /^TimeoutStopSec=(\d+)$/m.exec(text("deploy", "systemd", "relight.service")) ?? [];
  const { terminationGracePeriodSeconds: chart } = parse(text("deploy", "helm", "relight", "values.yaml"));
  const told = [...text("docs", "serve.md").matchAll(/(?:TimeoutStopSec=|terminationGracePeriodSeconds: )(\d+)/g)];
  const seconds = [unit, chart, ...told.map(([, given]) => given)].map(Number);
  expect([seconds.length, new Set(seconds).size]).toEqual([4, 1]);
  const needed =
    'cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:x" }\noperator: { jwt: "file:x" }\n';
  const { serve } = parseConfig(needed, "x");
  expect(seconds[0]).toBeGreaterThan(serve.grace / 1_000);
});

describeWith("systemd-analyze", () => {
  const unit = (): string => {
    const file = join(folder, "relight.service");
    const text = readFileSync(deploy("systemd", "relight.service"), "utf8");
    // It checks that the program exists, and the manual page.
    writeFileSync(file, text.replace("/usr/local/bin/relight", "/bin/true").replace(/^Documentation=.*\n/m, ""));
    return file;
  };

  test("the unit is valid", () => {
    expect(run("systemd-analyze", "verify", unit())).toBe("");
  });

  test("the unit's exposure is below 3", () => {
    const rating = run("systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit());
    expect(rating).toMatch(/Overall exposure level for relight\.service: [012]\.\d/);
  });
});

describeWith("hadolint", () => {
  test("the container file has no faults", () => {
    expect(run("hadolint", deploy("container", "Containerfile"))).toBe("");
  });
});

describeWith("helm", () => {
  const chart = deploy("helm", "relight");
  const EXAMPLE = join(chart, "ci", "values.yaml");
  const ONLY_NEEDED = ["image", "secretName", "config"] as const;
  /** The example's values, changed. */
  const valuesFile = (name: string, change: (values: Record<string, unknown>) => unknown): string => {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(change(parse(readFileSync(EXAMPLE, "utf8")))));
    return file;
  };
  const kindsOf = (values: string): readonly string[] => {
    const out = run("helm", "template", "nats", chart, "--kube-version", "1.31.0", "--values", values);
    return parseAllDocuments(out)
      .map((document) => document.toJS())
      .filter((object) => object !== null)
      .map(({ kind }) => kind)
      .sort();
  };
  const PLAIN = ["ConfigMap", "Deployment", "PersistentVolumeClaim", "Service", "ServiceAccount"];

  test("the chart passes helm lint", () => {
    expect(run("helm", "lint", "--strict", chart, "--values", EXAMPLE)).toContain("0 chart(s) failed");
  });

  test("it grants no rights and opens nothing that was not asked for", () => {
    const plain = valuesFile("plain.yaml", (values) =>
      Object.fromEntries(ONLY_NEEDED.map((key) => [key, values[key]])),
    );
    expect(kindsOf(plain)).toEqual(PLAIN);
    expect(kindsOf(EXAMPLE)).toEqual(
      [...PLAIN, "NetworkPolicy", "PrometheusRule", "Role", "RoleBinding", "ServiceMonitor"].sort(),
    );
  });

  test("its rules are those that promtool checks", () => {
    const out = run("helm", "template", "nats", chart, "--kube-version", "1.31.0", "--values", EXAMPLE);
    const rules = parse(readFileSync(deploy("prometheus", "relight.rules.yml"), "utf8"));
    const objects = parseAllDocuments(out).map((document) => document.toJS());
    expect(objects.find((object) => object?.kind === "PrometheusRule").spec).toEqual(rules);
  });

  test("the example's config is a configuration", () => {
    const { config } = parse(readFileSync(EXAMPLE, "utf8"));
    expect(parseConfig(stringify(config), join(folder, "relight.yaml"))).toMatchObject({ serve: {} });
  });

  test.each([
    ["an image", /repository/, { image: { repository: "" } }],
    ["who may call", /access/, { config: { cluster: {}, operator: {}, serve: {} } }],
    ["a value that it knows", /additional properties/, { replicas: 2 }],
  ])("it is refused without %s", (_what, message, change) => {
    const values = valuesFile("refused.yaml", (example) => ({ ...example, ...change }));
    expect(() => kindsOf(values)).toThrow(message);
  });
});
