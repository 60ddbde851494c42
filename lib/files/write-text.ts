import { linkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** File systems without hard links (FAT, some network shares). */
const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/**
 * Writes a file that only its owner can read, whole or not at all.
 * @returns false if it exists and must not be replaced
 * @throws NodeJS.ErrnoException
 */
export function writeWhole(path: string, text: string, { replace }: { readonly replace: boolean }): boolean {
  const whole = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(whole, text, { mode: 0o600, flag: "wx" });
    if (replace || !linked(whole, path)) renameSync(whole, path);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  } finally {
    rmSync(whole, { force: true });
  }
}

/** Unlike a rename, a link never replaces a file. False if the file system has no links. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if (NO_LINKS.includes((cause as NodeJS.ErrnoException).code ?? "")) return false;
    throw cause;
  }
}
