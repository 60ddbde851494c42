import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { AccountClaims } from "../../../lib/domain/claims/claims.ts";
import { renewalWindow } from "../../../lib/domain/expiry/expiry.ts";
import type { LastJob } from "../../../lib/domain/journal/last-job.ts";
import {
  type Due,
  describeDue,
  dueOf,
  type Listed,
  type SweptAccount,
  verifyInterval,
} from "../../../lib/domain/sweep/due.ts";
import { backlog } from "../../../lib/domain/time/backlog.ts";
import { epochMillis, epochSeconds, millis } from "../../../lib/domain/time/time.ts";
import { newPolicy } from "../policies.ts";

const NOW = epochMillis(Date.UTC(2030, 0, 1));
const MINUTE = 60_000;
const DAY = 86_400;
const ACCOUNT = `A${"A".repeat(55)}` as AccountId;
const sweeping = { now: NOW, verifyEvery: millis(60 * MINUTE) };

/** Claims of 90 days, of which so many have passed; the window opens 30 days before the end. */
function claimsOf(daysOver: number, fields: Partial<AccountClaims> = {}): AccountClaims {
  const iat = epochSeconds(NOW / 1000 - daysOver * DAY);
  const exp = epochSeconds(iat + 90 * DAY);
  return { jti: "J1", iat, exp, iss: "O", sub: ACCOUNT, name: "APP", nats: {}, ...fields } as AccountClaims;
}

const listed = (daysOver = 1): Listed => ({ state: "listed", claims: claimsOf(daysOver) });

const well = (fields: object = {}): LastJob => ({
  state: "finished",
  job: "j",
  at: epochMillis(NOW - MINUTE),
  outcome: "healthy",
  verdict: "healthy",
  jti: "J1",
  verifiedAt: epochMillis(NOW - MINUTE),
  ...fields,
});
const deleted = (ago: number): LastJob =>
  well({ at: epochMillis(NOW - ago), outcome: "escalated", verdict: "dead", withdrawn: true });
const running = (ago: number): LastJob => ({ state: "running", job: "j", since: epochMillis(NOW - ago) });

function swept(fields: Partial<SweptAccount> = {}): SweptAccount {
  return { account: ACCOUNT, listed: listed(), lastJob: well(), policy: newPolicy(), ...fields };
}

describe("an account is due", () => {
  const situations: readonly (readonly [string, Partial<SweptAccount>, Due["why"] | undefined])[] = [
    ["that was well a minute ago: not", {}, undefined],
    ["that was never looked at", { lastJob: undefined }, "new"],
    ["whose job began a minute ago: not", { lastJob: running(MINUTE) }, undefined],
    ["whose job is to begin in a year", { lastJob: running(-365 * DAY * 1000) }, "new"],
    ["whose job is to end in a year", { lastJob: well({ at: epochMillis(NOW + 365 * DAY * 1000) }) }, "new"],
    [
      "whose job ended by a clock that is a minute ahead: not",
      { lastJob: well({ at: epochMillis(NOW + MINUTE) }) },
      undefined,
    ],
    ["whose job began longer ago", { lastJob: running(MINUTE + 1) }, "unfinished"],
    ["that was dead", { lastJob: well({ verdict: "dead" }) }, "unwell"],
    ["that was degraded", { lastJob: well({ verdict: "degraded" }) }, "unwell"],
    ["of which nothing is known", { lastJob: well({ verdict: "unknown" }) }, "unwell"],
    ["whose last job has no verdict", { lastJob: well({ verdict: undefined }) }, "unwell"],
    ["that was well, but a person was called", { lastJob: well({ outcome: "escalated" }) }, "unwell"],
    ["whose job failed", { lastJob: well({ outcome: "failed", verdict: undefined }) }, "unwell"],
    ["that was healed: not", { lastJob: well({ outcome: "healed" }) }, undefined],
    ["with another JWT", { lastJob: well({ jti: "J0" }) }, "changed"],
    ["that was deleted, and a person told: not", { listed: { state: "absent" }, lastJob: deleted(0) }, undefined],
    ["that was deleted, a day later", { listed: { state: "absent" }, lastJob: deleted(DAY * 1000) }, "unwell"],
    ["that was deleted, and is listed again", { lastJob: deleted(0) }, "unwell"],
    ["that the resolver lost", { listed: { state: "absent" } }, "changed"],
    [
      "that had no JWT and has none: not",
      { listed: { state: "absent" }, lastJob: well({ jti: undefined }) },
      undefined,
    ],
    ["where the resolver can't be listed: not", { listed: { state: "unknown" } }, undefined],
    ["that nobody lists, past its page threshold", unlisted({ pageAt: NOW }), "page"],
    ["that nobody lists, past its warn threshold", unlisted({ warnAt: NOW }), "warn"],
    ["that nobody lists, before both: not", unlisted({}), undefined],
    ["that can't be read", { listed: { state: "unreadable" } }, "unreadable"],
    ["that has expired", { listed: listed(91) }, "expired"],
    [
      "that expired and was deleted for it",
      { listed: { state: "absent" }, lastJob: well({ expiresAt: epochMillis(NOW - 1) }) },
      "expired",
    ],
    ["past its page threshold", { listed: listed(86) }, "page"],
    ["past its warn threshold", { listed: listed(81) }, "warn"],
    ["past its window", { listed: listed(75.1) }, "renewal"],
    ["last looked at an hour ago", { lastJob: well({ at: epochMillis(NOW - 60 * MINUTE) }) }, "routine"],
    ["last looked at half an hour ago: not", { lastJob: well({ at: epochMillis(NOW - 30 * MINUTE) }) }, undefined],
    ["that expired while a job is at it: not", { listed: listed(91), lastJob: running(1) }, undefined],
    ["that never expires: not", { listed: { state: "listed", claims: perpetual() } }, undefined],
  ];

  test.each(situations)("%s", (_, fields, why) => {
    const due = dueOf(swept(fields), sweeping);
    expect(due?.why).toBe(why);
    if (due !== undefined) expect(describeDue(due)).toMatch(/^\S.*\S$/);
  });

  test("according to its own policy", () => {
    const policy = newPolicy({
      renewBefore: { unit: "time", before: millis(89.5 * DAY * 1000) },
      manual: true,
    });
    expect(dueOf(swept({ policy }), sweeping)?.why).toBe("warn");
  });
});

/** The cluster does not answer; only the result of the last job is known. */
function unlisted(times: object): Partial<SweptAccount> {
  const later = epochMillis(NOW + MINUTE);
  const lastJob = well({ expiresAt: later, warnAt: later, pageAt: later, ...times });
  return { listed: { state: "unknown" }, lastJob };
}

function perpetual(): AccountClaims {
  const { exp: _exp, ...claims } = claimsOf(1);
  return claims as AccountClaims;
}

describe("for any account", () => {
  const anyAccount = fc.stringMatching(/^A[A-Z2-7]{55}$/).map((text) => text as AccountId);

  test("with the default of five minutes every sweep checks it", () => {
    const at = fc.integer({ min: 0, max: 10 * MINUTE });
    fc.assert(
      fc.property(anyAccount, at, (account, ago) => {
        const lastJob = well({ at: epochMillis(NOW - ago) });
        const due = dueOf(swept({ account, lastJob }), { now: NOW, verifyEvery: millis(5 * MINUTE) });
        expect(due?.why).toBe("routine");
      }),
    );
  });

  test("it is checked no later than it should be, at most a quarter sooner, and at a stable time", () => {
    fc.assert(
      fc.property(anyAccount, fc.integer({ min: 5, max: 10_000 }), (account, minutes) => {
        const every = millis(minutes * MINUTE);
        const interval = verifyInterval(account, every);
        expect(interval).toBeLessThanOrEqual(every - 5 * MINUTE);
        expect(interval).toBeGreaterThanOrEqual(Math.floor((every - 5 * MINUTE) * 0.75));
        expect(verifyInterval(account, every)).toBe(interval);
      }),
    );
  });

  test("a due account stays due until it is checked", () => {
    const later = fc.integer({ min: 0, max: 400 * DAY * 1000 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 120 }), later, (days, more) => {
        const account = swept({ listed: listed(days), lastJob: well({ at: epochMillis(NOW - 3 * DAY) }) });
        const due = dueOf(account, sweeping);
        const then = dueOf(account, { ...sweeping, now: epochMillis(NOW + more) });
        if (due !== undefined) expect(then).toBeDefined();
        const window = renewalWindow(claimsOf(days), newPolicy());
        if (window !== undefined && NOW >= window.renewAt)
          expect(["renewal", "warn", "page", "expired"]).toContain(due?.why);
      }),
    );
  });
});

test("a backlog keeps the first ones, in order, and at most twice as many", () => {
  const items = fc.array(fc.integer(), { maxLength: 200 });
  fc.assert(
    fc.property(items, fc.integer({ min: 0, max: 20 }), (numbers, most) => {
      const kept = backlog<number>(most, (one, other) => one - other);
      for (const each of numbers) {
        kept.put(each);
        expect(kept.held()).toBeLessThanOrEqual(2 * most);
      }
      const first = numbers.toSorted((one, other) => one - other).slice(0, most);
      expect(kept.take()).toEqual({ first, others: numbers.length - first.length });
    }),
  );
});
