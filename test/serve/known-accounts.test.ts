import { expect, test } from "@jest/globals";
import { knownAccountsOf } from "../../console/known-accounts.ts";
import type { ConsoleSettings } from "../../console/settings.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { KnownAccount } from "../../lib/domain/claims/inventory.ts";
import { epochMillis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** What the console shows of accounts that no check has seen. */

const idOf = (letter: string): AccountId => `A${letter.repeat(55)}` as AccountId;
const known = (letter: string, name?: string): KnownAccount => ({
  account: idOf(letter),
  from: ["resolver"],
  names: name === undefined ? {} : { resolver: name },
});

function consoleOver(...answers: (readonly KnownAccount[] | Error | Promise<readonly KnownAccount[]>)[]) {
  let now = 1_000_000;
  let asked = 0;
  const inventory = async () => {
    asked += 1;
    const answer = answers.shift() ?? [];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const withApp = ((work: (app: object) => Promise<unknown>) =>
    work({ inventory })) as unknown as ConsoleSettings["withApp"];
  const find = async (text: string) => {
    if (text === "JOURNALLED") return idOf("J");
    throw new RelightError("account.unknown", `no account has the name or id "${text}"`);
  };
  const app = {
    clock: { now: () => epochMillis(now), sleep: async () => void (await new Promise((done) => setImmediate(done))) },
    console: { find },
    nameOf: (account: string) => account,
    journal: { read: async () => [] },
  } as unknown as ConsoleSettings["app"];
  const log = fakeLog();
  return {
    accounts: knownAccountsOf({ app, withApp, log }),
    pass: (time: number) => {
      now += time;
    },
    asked: () => asked,
    log,
  };
}

test("accounts are listed by the cluster once a minute, found by id and name, and have their names", async () => {
  const { accounts, pass, asked } = consoleOver([known("B", "SHOP"), known("C")], [known("B", "SHOP"), known("D")]);
  expect([...(await accounts.listed())]).toEqual([
    [idOf("B"), "SHOP"],
    [idOf("C"), ""],
  ]);
  expect(accounts.gap).toBeUndefined();
  expect([await accounts.find("SHOP"), await accounts.find(idOf("C"))]).toEqual([idOf("B"), idOf("C")]);
  expect(await accounts.find("JOURNALLED")).toBe(idOf("J"));
  await expect(accounts.find("OTHER")).rejects.toMatchObject({ code: "account.unknown" });
  expect(await accounts.nameOf(idOf("B"))).toBe("SHOP");
  pass(59_000);
  await accounts.listed();
  expect(asked()).toBe(1);
  pass(1_001);
  // It is read again beside the answer.
  await accounts.listed();
  await new Promise((done) => setImmediate(done));
  expect([...(await accounts.listed()).keys()]).toEqual([idOf("B"), idOf("D")]);
  expect(asked()).toBe(2);
});

test("a cluster that can't be asked is said, and what was listed before stays", async () => {
  const failure = new RelightError("nats.unreachable", "127.0.0.1:1 refuses connections");
  const { accounts, pass, log } = consoleOver(failure, [known("B", "SHOP")], new Error("a bug with details"));
  expect((await accounts.listed()).size).toBe(0);
  expect(accounts.gap).toEqual({ state: "failed", why: "127.0.0.1:1 refuses connections", at: 1_000_000 });
  expect(log.lines).toMatchObject([{ level: "warn", data: { code: "nats.unreachable" } }]);
  pass(60_001);
  expect((await accounts.listed()).size).toBe(1);
  expect(accounts.gap).toBeUndefined();
  pass(60_001);
  await accounts.listed();
  await new Promise((done) => setImmediate(done));
  expect((await accounts.listed()).size).toBe(1);
  expect(accounts.gap).toMatchObject({ state: "failed", why: "an error inside Relight" });
});

test("a page does not wait for a cluster that takes long", async () => {
  const late = Promise.withResolvers<readonly KnownAccount[]>();
  const { accounts, asked } = consoleOver(late.promise);
  expect((await accounts.listed()).size).toBe(0);
  expect(accounts.gap).toEqual({ state: "reading" });
  await accounts.listed();
  expect(asked()).toBe(1);
  late.resolve([known("B")]);
  await late.promise;
  await new Promise((done) => setImmediate(done));
  expect((await accounts.listed()).size).toBe(1);
});
