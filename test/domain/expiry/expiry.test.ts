import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { AccountClaims } from "../../../lib/domain/claims/claims.ts";
import { blackedOut, freeTimes, type Interval, type Weekday } from "../../../lib/domain/expiry/blackouts.ts";
import {
  alarmOf,
  decideRenewal,
  expiryWindow,
  fraction,
  isFarOff,
  type RenewalWindow,
  renewalWindow,
} from "../../../lib/domain/expiry/expiry.ts";
import { leadsOf, policyFaults } from "../../../lib/domain/expiry/expiry-policy.ts";
import { policyOf } from "../../../lib/domain/expiry/policy-match.ts";
import { epochMillis, epochSeconds, toMillis } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, NOW } from "../observations.ts";
import { at, blackout, days, hours, inDays, newPolicy, share } from "../policies.ts";

const DAY = 86_400;
/** Claims with a lifetime of `lives` days, issued `ago` days ago. */
const given = (lives: number, ago = 0, more: Record<string, unknown> = {}): AccountClaims => {
  const iat = NOW - ago * DAY;
  return claims({ iat, exp: iat + lives * DAY, ...more }).claims;
};
const windowOf = (...args: Parameters<typeof renewalWindow>): RenewalWindow => {
  const window = renewalWindow(...args);
  if (window === undefined) throw new Error("it never expires");
  return window;
};
const daysLeft = ({ expiresAt }: RenewalWindow, instant: number): number => (expiresAt - instant) / (DAY * 1000);
const utc = (text: string): number => Date.parse(`${text}Z`);

describe("a renewal window", () => {
  test("opens, closes, warns and pages as the policy says", () => {
    const policy = newPolicy({ renewBy: days(20), warnBefore: days(12), pageBefore: days(3) });
    const window = windowOf(given(90), policy);
    const instants = [window.opensAt, window.closesAt, window.warnAt, window.pageAt];
    expect(instants.map((instant) => daysLeft(window, instant))).toEqual([30, 20, 12, 3]);
  });

  test.each([
    ["a length of time", newPolicy(), [30, 15, 10, 5]],
    ["a share of the lifetime that the JWT was given", newPolicy({ renewBefore: share(0.25) }), [15, 7.5, 5, 2.5]],
    ["renewed by hand: warned of when it opens", newPolicy({ manual: true }), [30, 15, 30, 5]],
  ])("has defaults: %s", (_what, policy, expected) => {
    const leads = leadsOf(policy, inDays(60));
    const order = [leads.renewBefore, leads.renewBy, leads.warnBefore, leads.pageBefore];
    expect(order.map((lead) => lead / inDays(1))).toEqual(expected);
  });

  test("starts when the JWT becomes valid: a share counts from nbf, and no lead reaches further back", () => {
    const late = given(90, 0, { nbf: NOW + 30 * DAY });
    expect(
      daysLeft(windowOf(late, newPolicy({ renewBefore: share(0.5) })), windowOf(late, newPolicy()).expiresAt),
    ).toBe(0);
    expect(windowOf(late, newPolicy({ renewBefore: share(0.5) })).opensAt).toBe(toMillis(NOW) + inDays(60));
    const short = given(1);
    expect(windowOf(short, newPolicy())).toMatchObject({ opensAt: toMillis(NOW), renewAt: toMillis(NOW) });
    expect(expiryWindow(short, newPolicy(), at(NOW)).state).toBe("due");
  });

  test("never closes for claims that never expire", () => {
    expect(renewalWindow(claims({ exp: undefined }).claims, newPolicy())).toBeUndefined();
    expect(decideRenewal(claims({ exp: 0 }).claims, newPolicy(), at(NOW)).decision).toBe("wait");
  });

  const anyBlackouts = fc.array(
    fc.record({
      days: fc.subarray<Weekday>(["sun", "mon", "tue", "wed", "thu", "fri", "sat"], { minLength: 1 }),
      from: fc.integer({ min: 0, max: 1439 }),
      to: fc.integer({ min: 1, max: 1440 }),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"),
    }),
    { maxLength: 3 },
  );

  test("property: its instant lies within it, outside every blackout if possible, and is stable", () => {
    fc.assert(
      fc.property(anyBlackouts, fc.integer({ min: 1, max: 400 }), fc.uuid(), (blackouts, lives, jti) => {
        const policy = newPolicy({ renewBefore: share(0.3), blackouts });
        const window = windowOf(given(lives, 0, { jti }), policy);
        expect(window.renewAt).toBeGreaterThanOrEqual(window.opensAt);
        expect(window.renewAt).toBeLessThan(window.closesAt);
        const within = { start: window.opensAt, end: window.closesAt };
        const free = freeTimes(blackouts, within);
        expect(window.blackedOut).toBe(free.length === 0);
        if (free.length > 0) expect(blackedOut(blackouts, minuteOf(window.renewAt))).toEqual([]);
        expect(windowOf(given(lives, 0, { jti }), { ...policy })).toEqual(window);
      }),
      { numRuns: 150 },
    );
  });
  test("property: far-off claims are fresh and page nobody, and fresh claims long before their window are far off", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.double({ min: 0, max: 1.2, noNaN: true }), (lives, part) => {
        const policy = newPolicy({ renewBefore: share(0.3) });
        const claimed = given(lives);
        const { opensAt, warnAt, pageAt, begins, expiresAt } = windowOf(claimed, policy);
        const now = epochMillis(begins + part * (expiresAt - begins));
        const isFar = isFarOff(claimed, policy, now);
        expect(isFar).toBe(now < Math.min(opensAt, warnAt, pageAt));
        if (!isFar) return;
        const moment = { now, skew: at(NOW).skew };
        const window = expiryWindow(claimed, policy, moment);
        expect([window.state, alarmOf(window, moment)]).toEqual(["fresh", "none"]);
      }),
    );
  });
  const minuteOf = (start: number): Interval => ({ start: epochMillis(start), end: epochMillis(start + 1) });

  test("property: a blackout never lets an account expire: at the window's end it is renewed", () => {
    fc.assert(
      fc.property(anyBlackouts, fc.double({ min: 0, max: 0.999, noNaN: true }), (blackouts, part) => {
        const policy = newPolicy({ blackouts });
        const document = given(90);
        const { closesAt, expiresAt } = windowOf(document, policy);
        const now = epochMillis(Math.ceil(closesAt + part * (expiresAt - closesAt)));
        expect(decideRenewal(document, policy, { ...at(NOW), now }).decision).toBe("renew");
      }),
      { numRuns: 100 },
    );
  });

  test("spreads ten thousand accounts: no hour of fifteen days has more than a few dozen", () => {
    const perHour = new Map<number, number>();
    for (let index = 0; index < 10_000; index++) {
      const { renewAt } = windowOf(given(90, 0, { jti: `J${index}` }), newPolicy());
      const hour = Math.floor(renewAt / 3_600_000);
      perHour.set(hour, (perHour.get(hour) ?? 0) + 1);
    }
    expect(perHour.size).toBeGreaterThan(350);
    expect(Math.max(...perHour.values())).toBeLessThan(60);
  });

  test("property: the share of a text is in [0, 1), and always the same", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(fraction(text)).toBeGreaterThanOrEqual(0);
        expect(fraction(text)).toBeLessThan(1);
        expect(fraction(text)).toBe(fraction(text));
      }),
    );
  });
});

describe("the decision now", () => {
  const policy = newPolicy({ renewBy: hours(30 * 24 - 1) });
  const inWindow = epochSeconds(NOW + 60 * DAY + 3_600);
  test.each([
    ["before the window", NOW, policy, { decision: "wait", why: "its renewal time has not come" }],
    ["when the instant has come", inWindow, policy, { decision: "renew", why: "its renewal was due" }],
    ["after the expiry", NOW + 91 * DAY, policy, { decision: "renew", why: "it had expired" }],
    ["by hand only", inWindow, { ...policy, manual: true }, { decision: "manual" }],
    ["by hand only, expired", NOW + 91 * DAY, { ...policy, manual: true }, { decision: "manual" }],
    ["after the expiry, in a blackout", NOW + 91 * DAY, { ...policy, blackouts: [blackout()] }, { decision: "renew" }],
    [
      "in a blackout that lasts beyond the window",
      inWindow,
      { ...policy, blackouts: [blackout()] },
      { decision: "renew", warning: expect.stringContaining("too late") },
    ],
  ])("%s", (_when, now, rules, expected) => {
    expect(decideRenewal(given(90), rules, at(epochSeconds(now)))).toMatchObject(expected);
  });

  test("a missed instant waits for the end of a blackout, if the window is still open then", () => {
    const from = new Date(toMillis(NOW)).getUTCHours() * 60;
    const night = blackout({ from, to: (from + 60) % 1440 || 1440 });
    const long = newPolicy({ blackouts: [night] });
    const { renewAt } = windowOf(given(90), long);
    const [next] = blackedOut([night], { start: renewAt, end: epochMillis(renewAt + 2 * inDays(1)) });
    const decided = decideRenewal(given(90), long, { ...at(NOW), now: next?.start ?? renewAt });
    expect(decided).toEqual({ decision: "wait", why: expect.stringContaining("blackout"), until: next?.end });
  });

  test("claims that are not valid yet are left alone, also by the slowest server's clock", () => {
    const young = given(90, 0, { nbf: NOW + 60 });
    expect(decideRenewal(young, newPolicy(), at(NOW)).why).toBe("its claims are not valid yet");
    const valid = given(1, 0, { nbf: NOW - 60 });
    expect(decideRenewal(valid, newPolicy(), at(NOW)).decision).toBe("renew");
    expect(decideRenewal(valid, newPolicy(), at(NOW, 0, 61_000)).decision).toBe("wait");
  });

  test("a server whose clock is ahead makes everything earlier, within bounds", () => {
    const { renewAt } = windowOf(given(90), newPolicy());
    const before = { now: epochMillis(renewAt - 5_000), skew: at(NOW).skew };
    expect(decideRenewal(given(90), newPolicy(), before).decision).toBe("wait");
    expect(decideRenewal(given(90), newPolicy(), { ...before, skew: at(NOW, 5_000).skew }).decision).toBe("renew");
    // Renewed just now, by a clock that is off by a year: not again.
    expect(decideRenewal(given(90), newPolicy(), at(NOW, inDays(365))).decision).toBe("wait");
    expect(expiryWindow(given(90, 89.9), newPolicy(), at(NOW, inDays(1))).state).toBe("expired");
  });

  test.each([
    ["all of it, if it is less than half of the time before the window", 90, 29, 61],
    ["half of that time at most", 90, 31, 60],
    ["half of that time, however far it is off", 90, 3_650, 60],
    ["nothing of claims whose window is open from the beginning", 20, 10, 20],
  ])("a clock that is ahead counts: %s", (_what, lives, ahead, left) => {
    const window = expiryWindow(given(lives), newPolicy(), at(NOW, inDays(ahead)));
    expect(window).toMatchObject({ state: "fresh", left: inDays(left) });
  });

  test("property: claims that were just renewed are not renewed again, however wrong a clock is", () => {
    const policies = fc.record({ renewBefore: fc.integer({ min: 1, max: 89 }).map(days) });
    fc.assert(
      fc.property(policies, fc.nat({ max: 4_000 }), (policy, ahead) => {
        const { decision } = decideRenewal(given(90), newPolicy(policy), at(NOW, inDays(ahead)));
        expect(decision).toBe("wait");
      }),
    );
  });

  test("alarms depend on their thresholds and the skew", () => {
    const alarmAt = (left: number, ahead = 0) => {
      const moment = at(NOW, ahead);
      return alarmOf(expiryWindow(given(90, 90 - left), newPolicy(), moment), moment);
    };
    expect([11, 9.9, 5.1, 4.9, -1].map((left) => alarmAt(left))).toEqual(["none", "warn", "warn", "page", "page"]);
    expect(alarmAt(11, inDays(2))).toBe("warn");
    const never = expiryWindow(claims({ exp: 0 }).claims, newPolicy(), at(NOW));
    expect(alarmOf(never, at(NOW))).toBe("none");
  });
});

describe("blackouts follow their time zone", () => {
  const night = blackout({ from: 22 * 60, to: 6 * 60, timeZone: "Europe/Berlin" });
  const during = (start: string, end: string, what = night): string[] =>
    blackedOut([what], { start: epochMillis(utc(start)), end: epochMillis(utc(end)) }).map(
      (interval) =>
        `${new Date(interval.start).toISOString().slice(0, 16)}/${new Date(interval.end).toISOString().slice(0, 16)}`,
    );

  const rows: [string, string, string, string[], Parameters<typeof blackout>[0]?][] = [
    ["in winter", "2030-01-15T12:00", "2030-01-16T12:00", ["2030-01-15T21:00/2030-01-16T05:00"]],
    ["in summer", "2030-07-15T12:00", "2030-07-16T12:00", ["2030-07-15T20:00/2030-07-16T04:00"]],
    ["over the spring's change", "2030-03-30T12:00", "2030-03-31T12:00", ["2030-03-30T21:00/2030-03-31T04:00"]],
    ["over the autumn's change", "2030-10-26T12:00", "2030-10-27T12:00", ["2030-10-26T20:00/2030-10-27T05:00"]],
    [
      "from within the hour that does not exist",
      "2030-03-31T00:00",
      "2030-03-31T12:00",
      ["2030-03-31T01:30/2030-03-31T02:00"],
      { from: 150, to: 240, timeZone: "Europe/Berlin" },
    ],
    [
      "over the hour that comes twice, both times",
      "2030-10-27T00:00",
      "2030-10-27T12:00",
      ["2030-10-27T00:15/2030-10-27T01:45"],
      { from: 135, to: 165, timeZone: "Europe/Berlin" },
    ],
    [
      "on named days, by the day on which it begins",
      "2030-01-03T00:00",
      "2030-01-08T00:00",
      ["2030-01-05T21:00/2030-01-06T05:00", "2030-01-06T21:00/2030-01-07T05:00"],
      { ...night, days: ["sat", "sun"] },
    ],
    [
      "all of a weekend, as one",
      "2030-01-03T00:00",
      "2030-01-09T00:00",
      ["2030-01-05T05:00/2030-01-07T05:00"],
      { days: ["sat", "sun"], timeZone: "America/New_York" },
    ],
    ["cut to what was asked", "2030-01-15T23:00", "2030-01-16T01:00", ["2030-01-15T23:00/2030-01-16T01:00"]],
    ["not at other times", "2030-01-15T06:00", "2030-01-15T20:00", []],
  ];
  test.each(rows.map(([when, ...row]) => ({ when, row })))("$when", ({ row: [start, end, expected, what] }) => {
    expect(during(start, end, what === undefined ? night : blackout(what))).toEqual(expected);
  });
});

describe("overrides", () => {
  const subject = { account: ACCOUNT, claims: claims({ name: "team-orders" }).claims };
  const tagged = { ...subject, claims: { ...subject.claims, nats: { tags: ["Prod", "eu"] } } };
  const other = `A${"C".repeat(55)}` as AccountId;
  test.each([
    ["by tag, in any case", { tags: ["PROD"] }, tagged, true],
    ["not by a missing tag", { tags: ["dev"] }, tagged, false],
    ["not by tag if the claims are unknown", { tags: ["prod"] }, { account: ACCOUNT }, false],
    ["by the name in the claims", { names: ["team-orders"] }, subject, true],
    ["by a pattern", { names: ["x", "team-*"] }, subject, true],
    ["by the whole name only", { names: ["team"] }, subject, false],
    ["by a name that is no pattern of another kind", { names: ["team.orders"] }, subject, false],
    ["by the configured name", { names: ["orders"] }, { ...subject, name: "orders" }, true],
    ["by id", { accounts: [ACCOUNT] }, subject, true],
    ["not by another's id", { accounts: [other] }, subject, false],
    ["by each given kind", { tags: ["eu"], names: ["nothing"] }, tagged, false],
  ])("match %s", (_how, match, who, fits) => {
    const policy = policyOf(newPolicy(), [{ match, manual: true }], undefined, who);
    expect(policy.manual).toBe(fits);
  });

  test("override broader rules, key by key, the later over the earlier, the account's over all", () => {
    const rules = [
      { match: { names: ["*"] }, manual: true, renewBefore: days(7) },
      { match: { names: ["team-*"] }, renewBefore: days(8) },
    ];
    const policy = policyOf(newPolicy(), rules, { lifetime: inDays(10) }, subject);
    expect(policy).toEqual(newPolicy({ manual: true, renewBefore: days(8), lifetime: inDays(10) }));
  });

  test.each([
    [{}, []],
    [{ renewBefore: share(0.99) }, []],
    [{ renewBefore: days(90) }, ["renewBefore"]],
    [{ renewBy: days(30) }, ["renewBy"]],
    [{ warnBefore: days(16) }, ["warnBefore"]],
    [{ warnBefore: days(60), manual: true }, []],
    [{ pageBefore: days(11) }, ["pageBefore"]],
    [{ renewBy: days(40), pageBefore: days(80) }, ["renewBy", "pageBefore"]],
  ])("are rejected if they contradict themselves: %j", (changes, keys) => {
    expect(policyFaults(newPolicy(changes)).map(({ key }) => key)).toEqual(keys);
  });
});
