import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

/** What `npx relight` does where nothing is built yet. */

const root = join(import.meta.dirname, "..", "..");
let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "relight-start-"));
  mkdirSync(join(home, "bin"));
  cpSync(join(root, "bin", "relight.js"), join(home, "bin", "relight.js"));
  writeFileSync(join(home, "package.json"), '{ "type": "module", "engines": { "node": ">=22.13" } }');
});
afterEach(() => rmSync(home, { recursive: true }));

const run = (...args: string[]) =>
  spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", join(home, "bin", "relight.js"), ...args], {
    encoding: "utf8",
  });

/** A checkout whose build writes a command that says what it was called with. */
function checkout({ isInstalled }: { readonly isInstalled: boolean }): void {
  mkdirSync(join(home, "scripts"));
  if (isInstalled) mkdirSync(join(home, "node_modules", "esbuild"), { recursive: true });
  const command = "console.log(process.argv.slice(2).join())";
  const build = `import { mkdirSync, writeFileSync } from "node:fs";
console.log("from the build");
mkdirSync("${home}/dist/cli", { recursive: true });
writeFileSync("${home}/dist/cli/relight.js", ${JSON.stringify(command)});
`;
  writeFileSync(join(home, "scripts", "build.ts"), build);
}

test("a checkout builds it once, and leaves standard output to the result", () => {
  checkout({ isInstalled: true });
  const first = run("status", "--json");
  expect(first).toMatchObject({ status: 0, stdout: "status,--json\n" });
  expect(first.stderr).toMatch(/building …\nfrom the build/);
  expect(run("status")).toMatchObject({ status: 0, stdout: "status\n", stderr: "" });
});

test("a checkout without its packages says the command", () => {
  checkout({ isInstalled: false });
  expect(run("status")).toMatchObject({
    status: 3,
    stdout: "",
    stderr: expect.stringContaining("run `npm run build`"),
  });
  const { status, stdout } = run("status", "--json");
  expect({ status, error: JSON.parse(stdout).error.message }).toMatchObject({
    status: 3,
    error: expect.stringContaining("run `npm run build`"),
  });
});

test("a package without its bundles says so", () => {
  expect(run("status")).toMatchObject({ status: 3, stderr: expect.stringContaining("the package is incomplete") });
});

test("a call while a build replaces the bundles waits for them", () => {
  checkout({ isInstalled: false });
  mkdirSync(join(home, "dist-old-1"));
  const script = `setTimeout(() => {
    const fs = require("node:fs");
    fs.mkdirSync("${home}/dist/cli", { recursive: true });
    fs.writeFileSync("${home}/dist/cli/relight.js", "console.log('it works')");
  }, 500)`;
  const child = spawnSync(
    "sh",
    ["-c", `"$0" -e "$1" & "$0" "$2" status; wait`, process.execPath, script, join(home, "bin", "relight.js")],
    {
      encoding: "utf8",
    },
  );
  expect(child).toMatchObject({ stdout: "it works\n" });
});
