import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { shared } from "../lib/adapters/nats/connection/shared.ts";

/** Questions that several have at the same time. */

function questions() {
  const put: { readonly of: string; readonly answer: PromiseWithResolvers<string> }[] = [];
  const ask = shared(
    (of: string) => {
      const answer = Promise.withResolvers<string>();
      put.push({ of, answer });
      return answer.promise;
    },
    (of) => of,
  );
  return { put, ask };
}

test("those who ask at the same time share a question; another question is put on its own", async () => {
  const { put, ask } = questions();
  const answers = [ask("a"), ask("a"), ask("b")];
  await nextTurn();
  expect(put.map(({ of }) => of)).toEqual(["a", "b"]);
  for (const { of, answer } of put) answer.resolve(`${of} answered`);
  expect(await Promise.all(answers)).toEqual(["a answered", "a answered", "b answered"]);
});

test("who asks while a question is under way gets a later answer, because the first may be older than his question", async () => {
  const { put, ask } = questions();
  const first = ask("a");
  await nextTurn();
  const later = [ask("a"), ask("a")];
  expect(put).toHaveLength(1);
  put[0]?.answer.resolve("old");
  expect(await first).toBe("old");
  await nextTurn();
  expect(put).toHaveLength(2);
  put[1]?.answer.resolve("new");
  expect(await Promise.all(later)).toEqual(["new", "new"]);
});

test("a question that nobody answers does not hold up the next one", async () => {
  const { put, ask } = questions();
  void ask("a");
  await nextTurn();
  const later = ask("a");
  while (put.length < 2) await nextTurn();
  put[1]?.answer.resolve("new");
  expect(await later).toBe("new");
});

test("all who share a question share its failure, and the next one is put anew", async () => {
  const { put, ask } = questions();
  const both = Promise.allSettled([ask("a"), ask("a")]);
  await nextTurn();
  put[0]?.answer.reject(new Error("no answer"));
  expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  const again = ask("a");
  while (put.length < 2) await nextTurn();
  put[1]?.answer.resolve("new");
  expect(await again).toBe("new");
});
