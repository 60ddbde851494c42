import type { DatabaseSync } from "node:sqlite";

/** Writes to a database, several in one transaction. */
export interface GroupCommit {
  /**
   * Does the writing of `work` in the group's transaction, and resolves with its result once that is on disk. `work` must
   * only run statements, because it runs again, alone, if another one of its group fails.
   * @throws what SQLite throws
   */
  write<T>(work: () => T): Promise<T>;
  /** Commits what waits, now. */
  flush(): void;
}

interface Write {
  readonly work: () => unknown;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits together what is written in one turn of the event loop, in the order in which it was asked for: one fsync
 * instead of one for each (docs/decisions/0036). Nobody hears of a write before it is on disk.
 */
export function groupCommit(database: DatabaseSync): GroupCommit {
  let waiting: Write[] = [];

  function flush(): void {
    const group = waiting;
    waiting = [];
    if (group.length > 1 && commitTogether(database, group)) return;
    for (const write of group) settle(write, () => write.work());
  }

  return {
    write: <T>(work: () => T) =>
      new Promise<T>((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ work, resolve, reject });
      }),
    flush,
  };
}

/** Returns false if a statement failed and nothing was written: then each is to be tried alone, so that it fails alone. */
function commitTogether(database: DatabaseSync, group: readonly Write[]): boolean {
  let results: readonly unknown[] | undefined;
  try {
    database.exec("BEGIN IMMEDIATE");
    results = attempt(() => group.map(({ work }) => work()));
    if (results === undefined) {
      rollBack(database);
      return false;
    }
    database.exec("COMMIT");
  } catch (error) {
    // Whether a commit that failed is on disk is not known, so it is not repeated.
    rollBack(database);
    for (const { reject } of group) reject(error);
    return true;
  }
  for (const [index, { resolve }] of group.entries()) resolve(results[index] as never);
  return true;
}

/** A full disk ends the transaction by itself. */
const rollBack = (database: DatabaseSync): void => void attempt(() => database.exec("ROLLBACK"));

function settle({ resolve, reject }: Write, work: () => unknown): void {
  try {
    resolve(work() as never);
  } catch (error) {
    reject(error);
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
