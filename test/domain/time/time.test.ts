import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { endingOf, subjectOf } from "../../../lib/domain/expiry/expiring-tokens.ts";
import { decideRenewal, expiryWindow, renewalWindow } from "../../../lib/domain/expiry/expiry.ts";
import {
  type EpochMillis,
  epochMillis,
  epochSeconds,
  formatDuration,
  isCountable,
  isoTime,
  millis,
  toMillis,
} from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, NOW } from "../observations.ts";
import { at, blackout, newPolicy, share } from "../policies.ts";

/** Claims, journals and servers may contain any number, which must not break the output about others. */
describe("conversions of times never throw", () => {
  const anyNumber = fc.oneof(
    fc.double(),
    fc.maxSafeInteger(),
    fc.constantFrom(Number.MAX_VALUE, -Number.MAX_VALUE, 9_999_999_999_999, 2 ** 63, -1),
  );

  test("any number becomes ISO 8601 with a four-digit year, or unknown", () => {
    fc.assert(
      fc.property(anyNumber, (value) => {
        for (const time of [isoTime(epochMillis(value)), isoTime(toMillis(epochSeconds(value)))])
          expect(time).toMatch(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|unknown)$/);
        expect(formatDuration(millis(value))).toMatch(/^(\d+[dhms]( \d+[hms])?|unknown)$/);
      }),
    );
  });

  test("a time that a date can hold is exact", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
        expect(isoTime(date.getTime() as EpochMillis)).toBe(date.toISOString());
      }),
    );
  });
});

describe("an expiry that is too large for servers", () => {
  const policy = newPolicy({ renewBefore: share(0.5), blackouts: [blackout({ timeZone: "Europe/Berlin" })] });
  const { claims: far } = claims({ exp: 9_999_999_999_999 });

  test("is unknown, and causes no renewal", () => {
    expect(expiryWindow(far, policy, at(NOW))).toEqual({ state: "unknown" });
    expect(decideRenewal(far, policy, at(NOW))).toMatchObject({ decision: "wait" });
    const last = epochSeconds(NOW + 9_223_372_036);
    expect([isCountable(epochSeconds(last - 1), at(NOW).now), isCountable(last, at(NOW).now)]).toEqual([true, false]);
  });

  test("still has a window, computed quickly", () => {
    expect(renewalWindow(far, policy)?.blackedOut).toBe(true);
  });
});

const jwt = (payload: object): string => `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.AAAA`;

test.each([["soon"], [-1], [1.5], [true], [1e300]])("a token that ends %j has no known end", (exp) => {
  expect(endingOf("credentials", "user", jwt({ exp })).unseen).toMatch(/is not a time in whole seconds/);
});

test("an unreadable JWT still says whose it is, if servers read it the same way", () => {
  expect(subjectOf(jwt({ sub: ACCOUNT, exp: null }))).toBe(ACCOUNT);
  expect(subjectOf(jwt({ sub: ACCOUNT, Sub: "A" }))).toBeUndefined();
  expect(subjectOf(jwt({ "\u017fub": ACCOUNT }))).toBe(ACCOUNT);
  expect(subjectOf(jwt({ sub: "A" }))).toBeUndefined();
  expect(subjectOf("garbage")).toBeUndefined();
});
