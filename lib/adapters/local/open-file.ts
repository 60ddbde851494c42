import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { dirname } from "node:path";

/** Which file it is, whatever it is called: no other one is the same while somebody has it open. */
export type FileIdentity = Pick<Stats, "dev" | "ino">;

/** @throws Error of Node, such as `ENOENT` */
export function identityOf(path: string): FileIdentity {
  const { dev, ino } = statSync(path);
  return { dev, ino };
}

/** @throws Error unless the path still leads to that file */
export function assertSameFile(path: string, { dev, ino }: FileIdentity): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.dev === dev && found.ino === ino) return;
  const what = found === undefined ? "was moved away or deleted" : "was replaced by another file";
  throw new Error(`it ${what} since this process opened it; put it back, or restart Relight`);
}

/** Not Node's own `recursive`, which never ends where a folder can't be made, such as below `/proc` (Node 24.21). */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    // Another process may have made it meanwhile.
    if (!existsSync(folder)) throw cause;
  }
}

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Creates the file before SQLite does, so it is never readable by others. The -wal file inherits its mode. Follows no
 * symbolic link, because that would change the mode of a file that somebody else chose, and does not wait for a pipe.
 */
export function makeFile(path: string): void {
  let file: number;
  try {
    file = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ELOOP") throw cause;
    throw new Error("it is a symbolic link; name the file itself", { cause });
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error("it is not a file");
    fchmodSync(file, 0o600);
  } finally {
    closeSync(file);
  }
}
