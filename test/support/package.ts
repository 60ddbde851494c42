import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

/** What `npm run package` makes of the bundles in dist/, offline and without credentials. */
export interface Package {
  /** The caller's to remove. */
  readonly folder: string;
  /** Within it: the zips and the templates. */
  readonly artefacts: string;
}

/** Packages a copy: osls works in a folder beside serverless.yml, and two at once would take it from each other. */
export function packageForTwin(params: Readonly<Record<string, string>> = {}): Package {
  const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  for (const part of ["package.json", "serverless.yml", "deploy", join("dist", "functions")])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  const artefacts = join(folder, "artefacts");
  const osls = join(root, "node_modules", "osls", "bin", "serverless.js");
  const given = Object.entries(params).map(([name, value]) => `--param=${name}=${value}`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
  execFileSync(process.execPath, [osls, "package", "--package", artefacts, ...given], {
    cwd: folder,
    env,
    stdio: "pipe",
  });
  return { folder, artefacts };
}
