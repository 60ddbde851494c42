import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { type EpochMillis, epochMillis } from "../../../lib/domain/time/time.ts";
import { countRefusal, NO_STORMS, STORM, type Storms } from "../../../lib/domain/watch/storm.ts";
import { type ClusterEvent, decide, pauseAfter, type WatchFacts } from "../../../lib/domain/watch/watch.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";

const account = `A${"B".repeat(55)}` as AccountId;
const WAITS = TIMING.watch;
const FACTS: WatchFacts = {
  trusted: false,
  ownPush: false,
  atWork: false,
  expired: undefined,
  known: true,
  storm: "none",
};

describe("decide", () => {
  const push: ClusterEvent = { kind: "claims-pushed", account, jti: "J1" };
  const expiry: ClusterEvent = { kind: "client-expired", account, user: "U1", userName: "shorty" };
  const refusal: ClusterEvent = { kind: "auth-failed", server: "s1", account };
  const stranger: ClusterEvent = { kind: "auth-failed", server: "s1" };
  const election: ClusterEvent = { kind: "leader-elected", account, asset: "stream ORDERS" };
  const quorum: ClusterEvent = { kind: "quorum-lost", account, asset: "consumer ORDERS > shipping" };

  test.each<[string, ClusterEvent, Partial<WatchFacts>, "nothing" | "note" | "job" | "sweep", RegExp]>([
    ["somebody's push", push, {}, "job", /somebody pushed claims \(J1\)/],
    ["somebody's push during a job", push, { atWork: true }, "job", /somebody/],
    ["Relight's own push", push, { ownPush: true }, "nothing", /Relight pushed it/],
    ["a push of rubbish", { kind: "push-unreadable", problem: "no parts" }, {}, "note", /no parts/],
    ["an account's expiry", expiry, { expired: true }, "job", /the account expired/],
    ["a user's expiry", expiry, { expired: false }, "note", /shorty \(U1\)/],
    ["an expiry of a user or the account", expiry, { expired: undefined }, "job", /may have, too/],
    ["one refusal", refusal, {}, "nothing", /single/],
    ["an account's storm", refusal, { storm: "account" }, "job", /many of its clients/],
    ["a storm for an unknown account", refusal, { storm: "account", known: false }, "note", /unknown account/],
    ["a server's storm", stranger, { storm: "server" }, "sweep", /server s1 refuses many/],
    ["a server's storm, some account named", refusal, { storm: "server" }, "sweep", /server s1/],
    ["a new leader", election, {}, "job", /stream ORDERS has a new leader/],
    ["a new leader during a job", election, { atWork: true }, "nothing", /is running/],
    ["a lost quorum", quorum, {}, "job", /consumer ORDERS > shipping lost its quorum/],
    ["a lost quorum during a job", quorum, { atWork: true }, "job", /quorum/],
    ["a new meta leader", { kind: "meta-leader-elected", leader: "s2" }, {}, "sweep", /s2/],
    ["a server that stops", { kind: "server-stopped", server: "s3" }, {}, "sweep", /s3 stopped/],
    ["a server that joins", { kind: "server-joined", server: "s3" }, {}, "sweep", /s3 joined/],
    ["a lost connection", { kind: "connection-lost" }, {}, "note", /lost/],
    ["a regained connection", { kind: "connection-regained" }, {}, "sweep", /reconnected/],
    ["missed events", { kind: "events-missed" }, {}, "sweep", /too many events/],
  ])("%s", (_situation, event, facts, expected, why) => {
    const action = decide(event, { ...FACTS, ...facts }, WAITS);
    expect(action.do).toBe(expected);
    expect(action.why).toMatch(why);
    if (action.do === "job") expect(action.account).toBe(account);
    if (action.do === "job" || action.do === "sweep") expect(action.settle).toBeGreaterThan(0);
  });
});

test("an account with constant events waits longer and longer, up to a minute", () => {
  const pauses = [0, 1, 2, 3, 5, 6, 60, 5_000].map((streak) => pauseAfter(streak, WAITS));
  expect(pauses).toEqual([0, 2000, 4000, 8000, 32_000, 60_000, 60_000, 60_000]);
});

describe("refusals", () => {
  const at = (ms: number): EpochMillis => epochMillis(1_000_000 + ms);

  /** The report for each refusal, in order. */
  function told(refusals: readonly (readonly [server: string, account: string | undefined, ms: number])[]) {
    let storms: Storms = NO_STORMS;
    return refusals.map(([server, name, ms]) => {
      const counted = countRefusal(storms, { server, ...(name === undefined ? {} : { account: name }) }, at(ms));
      storms = counted.storms;
      return counted.storm;
    });
  }
  const times = <T>(count: number, of: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));
  const storms = (all: readonly string[]): readonly string[] => all.filter((storm) => storm !== "none");

  test.each<[string, Parameters<typeof told>[0], readonly string[]]>([
    ["one less than too many", times(STORM.account - 1, (i) => ["s", "A", i]), []],
    ["too many of an account: reported once", times(500, (i) => ["s", "A", i]), ["account"]],
    ["as many, but slowly", times(100, (i) => ["s", "A", (i * STORM.window) / (STORM.account - 1) + i]), []],
    ["of no account on one server: reported once", times(500, (i) => ["s", undefined, i]), ["server"]],
    ["of no account on many servers", times(500, (i) => [`s${i % 20}`, undefined, i]), []],
    ["few each of many accounts on one server", times(STORM.server, (i) => ["s", `A${i}`, i]), ["server"]],
    ["of two accounts", times(100, (i) => ["s", `A${i % 2}`, i]), ["account", "account"]],
    [
      "and again after a pause",
      [...times(20, (i) => ["s", "A", i] as const), ...times(20, (i) => ["s", "A", STORM.quiet + 20 + i] as const)],
      ["account", "account"],
    ],
  ])("%s", (_situation, refusals, expected) => {
    expect(storms(told(refusals))).toEqual(expected);
  });

  test("invented accounts do not fill memory", () => {
    const names = fc.array(fc.string(), { minLength: 1_000, maxLength: 3_000 });
    fc.assert(
      fc.property(names, (accounts) => {
        let counted: Storms = NO_STORMS;
        for (const name of accounts) counted = countRefusal(counted, { server: "s", account: name }, at(0)).storms;
        expect(counted.refusals.size + counted.suppressedUntil.size).toBeLessThanOrEqual(2_000);
      }),
      { numRuns: 5 },
    );
  });
});
