import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

test("the package contains the command and everything it runs, and puts nothing else on the PATH", () => {
  const root = join(import.meta.dirname, "..");
  const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  try {
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const [packed] = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8" })) as [
      { readonly filename: string; readonly files: readonly { readonly path: string }[] },
    ];
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(["bin/relight.js", "dist/cli/relight.js", "package.json"]));
    execFileSync("tar", ["-xzf", packed.filename, "package/package.json"], { cwd: folder });
    const { bin, engines } = JSON.parse(readFileSync(join(folder, "package", "package.json"), "utf8")) as {
      readonly bin: object;
      readonly engines: object;
    };
    expect(bin).toEqual({ relight: "bin/relight.js" });
    expect(engines).toEqual({ node: ">=22.13" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
