import { type Stats, statSync } from "node:fs";

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
