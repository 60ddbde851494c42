import { expect, test } from "@jest/globals";
import { turns } from "../../../lib/usecases/context/turns.ts";

test("so many have a turn at once; the others wait, first come, first served", async () => {
  const { take } = turns(2);
  const began: string[] = [];
  const begin = (name: string) =>
    take().then((turn) => {
      began.push(`${name}${turn.waited ? " waited" : ""}`);
      return turn;
    });
  const [one, two, three, four] = ["one", "two", "three", "four"].map(begin);
  await two;
  expect(began).toEqual(["one", "two"]);
  (await one)?.end();
  await three;
  expect(began).toEqual(["one", "two", "three waited"]);
  (await two)?.end();
  (await three)?.end();
  (await four)?.end();
  expect(began).toEqual(["one", "two", "three waited", "four waited"]);
  expect((await take()).waited).toBe(false);
});
