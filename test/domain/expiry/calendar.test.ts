import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { calendar, type Scheduled } from "../../../lib/domain/expiry/calendar.ts";
import { renewalWindow } from "../../../lib/domain/expiry/expiry.ts";
import type { ExpiryPolicy } from "../../../lib/domain/expiry/expiry-policy.ts";
import { epochMillis, isoTime, toMillis } from "../../../lib/domain/time/time.ts";
import { claims, NOW } from "../observations.ts";
import { days, hours, inDays, newPolicy } from "../policies.ts";

const DAY = 86_400;
const now = toMillis(NOW);
const id = (index: number): AccountId =>
  `A${[...`${index}`]
    .map((digit) => String.fromCharCode(65 + Number(digit)))
    .join("")
    .padStart(55, "Z")}` as AccountId;

const scheduled = (lives: number, policy: ExpiryPolicy = newPolicy(), index = 0): Scheduled => {
  const document = claims({ sub: id(index), jti: `J${index}`, iat: NOW, exp: NOW + lives * DAY });
  return { account: id(index), name: `team-${index}`, claims: document.claims, policy };
};
const until = (count: number, storm = 20) => ({ now, until: epochMillis(now + inDays(count)), storm });

describe("the calendar of renewals", () => {
  test("lists each account on its renewal day, then projects later renewals", () => {
    const { days: found, storms } = calendar([scheduled(90)], until(180));
    const all = found.flatMap(({ day, renewals }) => renewals.map((renewal) => ({ day, ...renewal })));
    const { renewAt } = renewalWindow(scheduled(90).claims, newPolicy()) ?? { renewAt: 0 };
    expect(all.map(({ kind }) => kind)).toEqual(["renewal", "projected"]);
    expect(all[0]).toMatchObject({ at: renewAt, day: isoTime(epochMillis(renewAt)).slice(0, 10) });
    const gap = ((all[1]?.at ?? 0) - renewAt) / inDays(1);
    expect(gap).toBeGreaterThanOrEqual(59.9);
    expect(gap).toBeLessThan(75.1);
    expect(storms).toEqual([]);
  });

  test("ends as requested, and omits accounts that never expire", () => {
    expect(calendar([scheduled(90)], until(59)).days).toEqual([]);
    const forever = { ...scheduled(90), claims: claims({ exp: 0 }).claims };
    expect(calendar([forever], until(999)).days).toEqual([]);
  });

  test("lists overdue accounts today, and manual accounts once, on their deadline", () => {
    const overdue = scheduled(1);
    const [today] = calendar([overdue], until(1)).days;
    expect(today?.renewals).toMatchObject([{ at: now, kind: "renewal" }]);
    const byHand = calendar([scheduled(90, newPolicy({ manual: true }))], until(900)).days;
    expect(byHand.flatMap(({ renewals }) => renewals)).toMatchObject([{ kind: "manual", at: now + inDays(75) }]);
  });

  test("terminates for lifetimes of hours", () => {
    const policy = newPolicy({ lifetime: inDays(1 / 24), renewBefore: hours(0.5) });
    const found = calendar([scheduled(1, policy)], until(36_500)).days;
    expect(found.flatMap(({ renewals }) => renewals)).toHaveLength(1_000);
  });

  test("shows a storm, more than the allowed renewals in an hour, once per stretch", () => {
    const narrow = newPolicy({ renewBy: hours(30 * 24 - 0.5) });
    const many = (count: number, lives: number, from: number): Scheduled[] =>
      Array.from({ length: count }, (_, index) => scheduled(lives, narrow, from + index));
    const { storms } = calendar([...many(30, 90, 0), ...many(25, 100, 100), ...many(20, 110, 200)], until(100));
    expect(storms.map(({ perHour, accounts }) => [perHour, accounts.length])).toEqual([
      [30, 30],
      [25, 25],
    ]);
    const [first] = storms;
    expect(first?.from).toBeGreaterThanOrEqual(now + inDays(60));
    expect(first?.until).toBeLessThan(now + inDays(60) + 1_800_000);
    expect(calendar(many(30, 90, 0), until(100, 30)).storms).toEqual([]);
  });

  test("has no storm if the same accounts' windows are wide enough", () => {
    const accounts = Array.from({ length: 1_000 }, (_, index) =>
      scheduled(90, newPolicy({ renewBefore: days(30) }), index),
    );
    expect(calendar(accounts, until(90)).storms).toEqual([]);
  });
});
