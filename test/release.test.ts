import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { environment } from "./support/relight.ts";

/** `npm run release`, in a copy of the checkout. */

const root = join(import.meta.dirname, "..");
let copy: string;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: copy, encoding: "utf8", env: environment() });

function release(...args: string[]) {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["scripts/release.ts", ...args], {
    cwd: copy,
    encoding: "utf8",
    env: environment(),
  });
  return { status, stderr, stdout };
}

const commit = (): string =>
  run("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--all", "-m", "test");

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "relight-release-"));
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root });
  for (const file of files.toString().trim().split("\n")) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  run("git", "init", "--quiet");
  writeFileSync(join(copy, ".git", "info", "exclude"), "node_modules\n");
  run("git", "add", "--all");
  commit();
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

test.each([
  [[], /^release: write a version such as 1\.2\.3\n/],
  [["v2"], /^release: write a version such as 1\.2\.3\n/],
  [["0.0.1"], /^release: 0\.0\.1 is older than \d/],
])("refuses %j and changes nothing", (args, message) => {
  expect(release(...args)).toMatchObject({ status: 3, stderr: expect.stringMatching(message) });
  expect(run("git", "status", "--porcelain", "--untracked-files=no")).toBe("");
});

test("makes the tarball, the bill of materials of what is in it, and checksums; sets version and date", () => {
  const { status, stdout, stderr } = release("9.8.7");
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.any(String) });
  expect(stdout).toContain("git tag v9.8.7");

  const folder = join(copy, "release");
  const sums = readFileSync(join(folder, "SHA256SUMS"), "utf8");
  expect(sums.match(/\S+$/gm)?.sort()).toEqual(["relight-9.8.7.cdx.json", "relight-9.8.7.tgz"]);
  execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: folder });

  const { components } = JSON.parse(readFileSync(join(folder, "relight-9.8.7.cdx.json"), "utf8"));
  const names = components.map(({ name }: { readonly name: string }) => name);
  // Decision 0035.
  expect(names).not.toContain("tweetnacl");
  expect(names).toEqual(expect.arrayContaining(["@nats-io/nats-core", "commander", "zod"]));
  expect(names).not.toContain("jest");

  expect(run("tar", "-xzOf", join(folder, "relight-9.8.7.tgz"), "package/package.json")).toContain(
    '"version": "9.8.7"',
  );
  expect(readFileSync(join(copy, "deploy/helm/relight/Chart.yaml"), "utf8")).toMatch(/^appVersion: 9\.8\.7$/m);
  expect(readFileSync(join(copy, "CHANGELOG.md"), "utf8")).toMatch(
    /^## Unreleased\n\n## 9\.8\.7 \(\d{4}-\d\d-\d\d\)\n/m,
  );

  expect(release("9.8.8")).toMatchObject({ status: 3, stderr: expect.stringMatching(/commit or stash/) });
  commit();
  expect(release("9.8.8")).toMatchObject({ status: 3, stderr: expect.stringMatching(/says nothing under Unreleased/) });
});
