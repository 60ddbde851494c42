import { describe, expect, test } from "@jest/globals";
import {
  type AskPage,
  accountConnections,
  accountSubscriptions,
  jetStreamAccounts,
  leafConnectionsOf,
} from "../lib/adapters/nats/probes/lists.ts";
import type { AccountId } from "../lib/domain/claims/account.ts";
import type { JsonObject } from "../lib/domain/time/json.ts";

const ACCOUNT = "AAAA" as AccountId;
const server = { id: "S1", name: "s1", ver: "2.9.10" };
const answer = (data: JsonObject): JsonObject => ({ server, data });
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const number = (body: JsonObject, key: string, otherwise: number): number => Number(body[key] ?? otherwise);

/** A server that returns a part of `items`, and reports the given total. */
function serverOf(
  items: (body: JsonObject) => readonly JsonObject[],
  named: (page: readonly JsonObject[], whole: number, limit: number) => JsonObject,
): AskPage & { readonly asked: JsonObject[] } {
  const asked: JsonObject[] = [];
  const ask: AskPage = async (body) => {
    asked.push(body);
    const [limit, offset] = [number(body, "limit", 1024), number(body, "offset", 0)];
    const whole = items(body);
    return answer(named(whole.slice(offset, offset + limit), whole.length, limit));
  };
  return Object.assign(ask, { asked });
}

describe("subscriptions", () => {
  const held = range(3_000).map((cid) => ({ account: ACCOUNT, subject: "orders.*", cid }));
  /** In a different order each time, and up to 2.11.5 with the total of this page only. */
  const old = (count: number) =>
    serverOf(
      ({ offset }) => (Number(offset) > 0 ? held.slice(0, count) : [...held.slice(0, count)].reverse()),
      (page, _, limit) => ({ subscriptions_list: [...page], total: page.length, limit }),
    );

  test("that do not fit into the usual answer are all found", async () => {
    expect(await accountSubscriptions(old(3_000), ACCOUNT)).toHaveLength(3_000);
  });

  test("an empty list is a list, too", async () => {
    const none = async () => answer({ subscriptions_list: null, total: 0 });
    expect(await accountSubscriptions(none, ACCOUNT)).toEqual([]);
  });

  test("more than fit are no list, however the server words it", async () => {
    const most = 2_000;
    await expect(accountSubscriptions(old(3_000), ACCOUNT, { most })).rejects.toMatchObject({
      code: "nats.list_cut",
    });
    const exactly = accountSubscriptions(old(2_000), ACCOUNT, { most });
    await expect(exactly).rejects.toMatchObject({ code: "nats.list_cut" });
    const serving: AskPage = async () => answer({ subscriptions_list: held.slice(0, 10), total: 3_000 });
    await expect(accountSubscriptions(serving, ACCOUNT)).rejects.toMatchObject({ code: "nats.list_cut" });
    const incomplete: AskPage = async () =>
      answer({ subscriptions_list: held.slice(0, 1_024), total: 1_024, limit: 1_024 });
    await expect(accountSubscriptions(incomplete, ACCOUNT)).rejects.toMatchObject({ code: "nats.list_cut" });
  });
});

describe("connections", () => {
  const connections = (page: readonly JsonObject[], total: number) => ({ connections: [...page], total });

  test("are read page by page", async () => {
    const found = await accountConnections(
      serverOf(() => range(5_000).map((cid) => ({ cid })), connections),
      ACCOUNT,
    );
    expect(found.size).toBe(5_000);
  });

  test("a missed one, because the list moved between pages, is searched again", async () => {
    let questions = 0;
    const moving = serverOf(() => {
      questions++;
      // The first one is deleted between the first page and the second: the 1,025th moves to the first page.
      return range(2_000)
        .map((cid) => ({ cid }))
        .slice(questions > 1 ? 1 : 0);
    }, connections);
    const found = await accountConnections(moving, ACCOUNT);
    expect(found.has(1_024)).toBe(true);
  });

  test("a list that is never complete is none", async () => {
    const short: AskPage = async ({ offset }) =>
      answer({ connections: Number(offset) === 0 ? [{ cid: 1 }] : [], total: 2 });
    await expect(accountConnections(short, ACCOUNT)).rejects.toMatchObject({ code: "nats.list_cut" });
  });
});

describe("accounts with JetStream", () => {
  const ids = range(600).map((index) => `A${String(index).padStart(4, "0")}`);
  const details = (page: readonly JsonObject[], accounts: number) => ({
    account_details: [...page],
    accounts,
  });

  test("are all found, although old servers sort every page but the first", async () => {
    const sorted = ids.map((id) => ({ id }));
    const old = serverOf(({ offset }) => (offset === 0 ? [...sorted].reverse() : sorted), details);
    const found = await jetStreamAccounts(old, { streams: true });
    expect(found.map(({ id }) => id).sort()).toEqual(ids);
  });

  test("a server that keeps omitting some gives no list", async () => {
    const short = serverOf(
      () => [{ id: "A1" }],
      (page) => ({ account_details: [...page], accounts: 2 }),
    );
    await expect(jetStreamAccounts(short, {})).rejects.toMatchObject({ code: "nats.list_cut" });
  });
});

test("leafnodes are compared with the server's count", async () => {
  const leafs = [{ account: ACCOUNT }];
  expect(await leafConnectionsOf(async () => answer({ leafnodes: 1, leafs }))).toHaveLength(1);
  const short = leafConnectionsOf(async () => answer({ leafnodes: 2, leafs }));
  await expect(short).rejects.toMatchObject({ code: "nats.list_cut" });
});
