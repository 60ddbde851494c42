import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const PACKAGES = join(root, ".cache", "packages");
const PARTS = ["package.json", "serverless.yml", "deploy"];

/**
 * The folder with the zips and templates that `npm run package` makes of the bundles in dist/, offline and without
 * credentials. Made once for the same bundles, template and parameters; nobody may write into it.
 */
export function packageForTwin(params: Readonly<Record<string, string>> = {}): string {
  const bundles = readFileSync(join(root, "dist", "made-of"), "utf8").slice(0, 16);
  const made = join(PACKAGES, `${bundles}-${hashOf(params)}`);
  if (existsSync(made)) return made;
  mkdirSync(PACKAGES, { recursive: true });
  for (const name of readdirSync(PACKAGES))
    if (!name.startsWith(bundles)) rmSync(join(PACKAGES, name), { recursive: true, force: true });
  const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
  try {
    // osls works in a folder beside serverless.yml, and two at once would remove each other's.
    for (const part of [...PARTS, join("dist", "functions")])
      cpSync(join(root, part), join(folder, part), { recursive: true });
    const artefacts = join(folder, "artefacts");
    runOsls(folder, artefacts, params);
    const beside = `${made}.${process.pid}`;
    cpSync(artefacts, beside, { recursive: true });
    try {
      renameSync(beside, made);
    } catch (error) {
      // Another test file was faster.
      rmSync(beside, { recursive: true, force: true });
      if (!existsSync(made)) throw error;
    }
    return made;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hashOf(params: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256").update(JSON.stringify(params));
  const files = readdirSync(join(root, "deploy"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const file of [join(root, "package-lock.json"), join(root, "serverless.yml"), ...files.sort()])
    hash.update(file).update("\0").update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

function runOsls(cwd: string, artefacts: string, params: Readonly<Record<string, string>>): void {
  const osls = join(root, "node_modules", "osls", "bin", "serverless.js");
  const given = Object.entries(params).map(([name, value]) => `--param=${name}=${value}`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_")));
  // The twin writes a relight.yaml of its own.
  Object.assign(env, { RELIGHT_PACKAGE_FOR_TWIN: "1" });
  execFileSync(process.execPath, [osls, "package", "--package", artefacts, ...given], {
    cwd,
    env,
    stdio: "pipe",
  });
}
