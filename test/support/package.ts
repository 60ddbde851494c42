import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** What `npm run package` makes of the bundles in dist/, in a folder of its own, which the caller removes. */
export function packageStack(): string {
  const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  const osls = join(root, "node_modules", "osls", "bin", "serverless.js");
  const { AWS_PROFILE: _profile, ...env } = process.env;
  execFileSync(process.execPath, [osls, "package", "--package", folder], { cwd: root, env, stdio: "pipe" });
  return folder;
}
