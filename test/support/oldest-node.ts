import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };

const CACHE = process.env["RELIGHT_CACHE"] ?? join(import.meta.dirname, "..", "..", ".cache");

/** The oldest Node that the package runs on. */
export const OLDEST_NODE = `${manifest.engines.node.replace(">=", "")}.0`;

/** Its path, from the npm registry. @throws Error if npm has none for this platform, or can't be reached */
export function oldestNode(): string {
  const folder = join(CACHE, "node", `oldest-${OLDEST_NODE}`);
  const path = join(folder, "bin", "node");
  if (existsSync(path)) return path;
  mkdirSync(join(folder, ".."), { recursive: true });
  const temporary = mkdtempSync(`${folder}-`);
  try {
    const name = `node-${process.platform}-${process.arch}@${OLDEST_NODE}`;
    execFileSync("npm", ["pack", name, "--loglevel=error"], { cwd: temporary, stdio: "pipe" });
    const [tarball = ""] = readdirSync(temporary);
    execFileSync("tar", ["-xzf", tarball], { cwd: temporary });
    renameSync(join(temporary, "package"), folder);
    return path;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
