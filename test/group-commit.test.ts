import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { groupCommit } from "../lib/adapters/local/group-commit.ts";

/** Several writes in one transaction. test/contracts/journal.test.ts has the whole journal, and what a killed process leaves. */

let database: DatabaseSync;
/** The statements that begin and end transactions. */
let ran: string[];

beforeEach(() => {
  database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE numbers (number INTEGER NOT NULL UNIQUE) STRICT");
  ran = [];
  const exec = database.exec.bind(database);
  database.exec = (text) => {
    ran.push(text);
    exec(text);
  };
});
afterEach(() => {
  if (database.isOpen) database.close();
});

const insert = (number: number | string) => (): number =>
  Number(database.prepare("INSERT INTO numbers VALUES (?)").run(number).changes);
const numbers = (): readonly unknown[] =>
  database
    .prepare("SELECT number FROM numbers ORDER BY rowid")
    .all()
    .map(({ number }) => number);

describe("writes", () => {
  test("of one turn share a transaction, in their order, and each hears its own result", async () => {
    const { write } = groupCommit(database);
    const results = await Promise.all([write(insert(3)), write(() => "a result"), write(insert(1)), write(insert(2))]);
    expect(results).toEqual([1, "a result", 1, 1]);
    expect(ran).toEqual(["BEGIN IMMEDIATE", "COMMIT"]);
    expect(numbers()).toEqual([3, 1, 2]);
  });

  test("that are alone need no transaction of their own", async () => {
    const { write } = groupCommit(database);
    await write(insert(1));
    await write(insert(2));
    expect(ran).toEqual([]);
    expect(numbers()).toEqual([1, 2]);
  });

  test("nobody hears of one before all are committed", async () => {
    const { write } = groupCommit(database);
    const open: boolean[] = [];
    const noting = (number: number) => write(insert(number)).then(() => open.push(ran.includes("COMMIT")));
    await Promise.all([noting(1), noting(2)]);
    expect(open).toEqual([true, true]);
  });

  test("one that fails fails alone, and the others are written once", async () => {
    const { write } = groupCommit(database);
    const ends = await Promise.allSettled([
      write(insert(1)),
      write(insert("no number")),
      write(insert(1)),
      write(insert(2)),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(numbers()).toEqual([1, 2]);
  });

  test("all fail if the commit does, because nobody knows whether they are on disk; the next ones work", async () => {
    const { write } = groupCommit(database);
    const exec = database.exec.bind(database);
    let fails = true;
    database.exec = (text) => {
      if (text === "COMMIT" && fails) throw new Error("disk I/O error");
      exec(text);
    };
    const ends = await Promise.allSettled([write(insert(1)), write(insert(2))]);
    expect(ends).toMatchObject([{ reason: { message: "disk I/O error" } }, { reason: { message: "disk I/O error" } }]);
    fails = false;
    await Promise.all([write(insert(3)), write(insert(4))]);
    expect(numbers()).toEqual([3, 4]);
  });

  test("that wait are written when the database is about to close", async () => {
    const { write, flush } = groupCommit(database);
    const writing = [write(insert(1)), write(insert(2))];
    flush();
    expect(numbers()).toEqual([1, 2]);
    expect(await Promise.all(writing)).toEqual([1, 1]);
  });
});
