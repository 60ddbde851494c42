import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** A path that a person wrote: `~` and `~/…` are in the home folder, a relative path starts from `baseDir`. */
export function resolvePath(baseDir: string, path: string): string {
  return resolve(baseDir, expandHome(path));
}

/** `~` and `~/…` in the home folder, because no shell expands them in a file or in `--config=~/relight.yaml`. */
export function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}
