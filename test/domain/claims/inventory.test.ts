import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import {
  accountsNamed,
  displayName,
  inventoryOf,
  type Mention,
  type Place,
  typedNames,
} from "../../../lib/domain/claims/inventory.ts";

const id = (letter: string): AccountId => `A${letter.repeat(55)}` as AccountId;
const [A, B, C] = [id("A"), id("B"), id("C")];
const of = (account: AccountId, place: Place, name?: string): Mention => ({ account, place, name });

test("entries of all sources are merged, each account once, in the order of appearance", () => {
  const known = inventoryOf([
    ...[of(B, "journal", "old"), of(A, "resolver", "APP"), of(B, "configuration", "BILLING"), of(B, "servers")],
  ]);
  expect(known).toEqual([
    {
      account: B,
      from: ["configuration", "servers", "journal"],
      names: { configuration: "BILLING", journal: "old" },
    },
    { account: A, from: ["resolver"], names: { resolver: "APP" } },
  ]);
  expect(known.map(displayName)).toEqual(["BILLING", "APP"]);
  expect(inventoryOf([of(C, "servers")]).map(displayName)).toEqual([C]);
});

describe("a name refers to", () => {
  test.each<[string, readonly Mention[], readonly AccountId[]]>([
    ["nobody", [of(A, "resolver", "OTHER")], []],
    ["the account with that name", [of(A, "resolver", "APP"), of(B, "resolver", "OTHER")], [A]],
    [
      "the account configured with that name, before one that claims it",
      [of(A, "resolver", "APP"), of(B, "configuration", "APP")],
      [B],
    ],
    ["who has it now, before who had it", [of(A, "journal", "APP"), of(B, "resolver", "APP")], [B]],
    ["the former holder, if nobody has it now", [of(A, "journal", "APP"), of(B, "resolver", "OTHER")], [A]],
    ["an account that only the source of truth has", [of(A, "source", "APP")], [A]],
    ["both, if two have it", [of(A, "resolver", "APP"), of(B, "source", "APP")], [A, B]],
    ["one account, however many sources list it", [of(A, "resolver", "APP"), of(A, "journal", "APP")], [A]],
  ])("%s", (_what, mentions, accounts) => {
    expect(accountsNamed(inventoryOf(mentions), "APP")).toEqual(accounts);
  });
});

test("suggests a name that identifies the account, otherwise its id", () => {
  const known = inventoryOf([
    ...[of(A, "resolver", "APP"), of(B, "journal", "APP"), of(C, "resolver", "TWICE"), of(id("D"), "source", "TWICE")],
  ]);
  expect([...typedNames(known).values()]).toEqual(["APP", B, C, id("D")]);
  for (const [account, name] of typedNames(known))
    expect(name === account || accountsNamed(known, name)).toEqual(name === account ? true : [account]);
});
