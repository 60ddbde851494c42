import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { fitsOneUser, inShares } from "../lib/adapters/nats/account/shares.ts";

test("shares have all items in order, and no more than one user may have, unless one item is too large", () => {
  const names = fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { maxLength: 60 });
  fc.assert(
    fc.property(names, (items) => {
      const subjectsOf = (item: string) => [`$JS.API.STREAM.UPDATE.${item}`, `$JS.API.STREAM.INFO.${item}`];
      const shares = inShares(items, subjectsOf);
      expect(shares.flat()).toEqual(items);
      for (const share of shares) expect(share.length === 1 || fitsOneUser(share.flatMap(subjectsOf))).toBe(true);
    }),
  );
});

test("what fits one user is one share", () => {
  expect(inShares(["a", "b", "c"], (item) => [item])).toEqual([["a", "b", "c"]]);
  expect(inShares([], () => [])).toEqual([]);
});
