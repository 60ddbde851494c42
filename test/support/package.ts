import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** What `npm run package` makes of the bundles in dist/; `folder` is the caller's to remove. */
export function packageForTwin(): { readonly folder: string; readonly artefacts: string } {
  // A copy: osls works in a folder beside serverless.yml, and two at once would take it from each other.
  const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  for (const part of ["package.json", "serverless.yml", "deploy", join("dist", "functions")])
    if (existsSync(join(root, part))) cpSync(join(root, part), join(folder, part), { recursive: true });
  const artefacts = join(folder, "artefacts");
  const osls = join(root, "node_modules", "osls", "bin", "serverless.js");
  const { AWS_PROFILE: _profile, ...env } = process.env;
  execFileSync(process.execPath, [osls, "package", "--package", artefacts], {
    ...{ cwd: folder, env, stdio: "pipe" },
  });
  return { folder, artefacts };
}
