import { beforeAll, describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { AccountClaims } from "../../lib/domain/claims/claims.ts";
import { blackedOut } from "../../lib/domain/expiry/blackouts.ts";
import { renewalWindow } from "../../lib/domain/expiry/expiry.ts";
import type { MatchedRules } from "../../lib/domain/expiry/policy-match.ts";
import { epochMillis, isoTime, millis, toSeconds } from "../../lib/domain/time/time.ts";
import type { Job } from "../../lib/ports/jobs.ts";
import { blackout, hours, inDays, newPolicy, share } from "../domain/policies.ts";
import { chance } from "../support/chance.ts";
import { isExhaustive } from "../support/exhaustive.ts";
import { type ClaimsChanges, type VirtualAccount, virtualAccount } from "../support/virtual/claims.ts";
import { NO_JETSTREAM, virtualWorld } from "../support/virtual/world.ts";

/**
 * Two years of 500 accounts, hour by hour, through the real use cases; by default two months of 230. The invariants
 * are checked from outside: from the claims that run, the pushes and the pages.  Each hour a sweep queues due accounts,
 * and all of the queue is done. Healthy accounts are checked once a week: hourly checks would be 8.8 million looks
 * without any change.
 */
const SEED = 20300101;
const START = epochMillis(Date.UTC(2030, 0, 1));
const HOUR = 3_600_000;
const DAY = 86_400;

const weekend = blackout({ days: ["sat", "sun"], timeZone: "Europe/Berlin" });
const night = blackout({ from: 20 * 60, to: 7 * 60, timeZone: "America/New_York" });
const policy = newPolicy({ renewBefore: share(1 / 3) });
const lives = (count: number): MatchedRules => ({
  match: { names: [`*life${count}`] },
  lifetime: inDays(count),
});
const policies: readonly MatchedRules[] = [
  ...[1, 7, 14, 30, 90, 180].map(lives),
  { match: { names: ["weekend-*"] }, blackouts: [weekend] },
  { match: { names: ["night-*"] }, blackouts: [night] },
  { match: { names: ["always-*"] }, blackouts: [blackout()] },
  { match: { names: ["critical-*"] }, critical: true },
  { match: { names: ["issuer-*"] }, manual: true },
  {
    match: { names: ["fixed-*"] },
    renewBefore: hours(60),
    renewBy: hours(50),
    pageBefore: hours(20),
    warnBefore: hours(40),
  },
];

type Fault =
  | "the signer fails for a day"
  | "the cluster does not answer"
  | "a server's clock is 40 minutes ahead"
  | "a server's clock is 25 minutes behind"
  | "the issuer is silent"
  | "sweeps overlap";

interface Form {
  readonly name: string;
  readonly hours: number;
  /** How many accounts of each kind. */
  readonly accounts: Readonly<Record<string, number>>;
  /** From and until which hour; each is short enough for the policy's margins, except for `life1`. */
  readonly faults: Readonly<Record<Fault, readonly (readonly [number, number])[]>>;
  /** The minimum that must happen, or nothing was tested. */
  readonly least: Readonly<Record<"renewals" | "busy" | "redelivered" | "repeated", number>>;
}

/** Kinds of accounts of which two months need each one. */
const RARE = { always: 10, fixed: 20, issuer: 40, daily: 10, never: 10 };

const TWO_YEARS: Form = {
  name: "two years",
  hours: 2 * 365 * 24,
  accounts: { plain: 250, weekend: 60, night: 60, critical: 40, ...RARE },
  faults: {
    "the signer fails for a day": [
      [2_000, 2_024],
      [9_100, 9_124],
    ],
    "the cluster does not answer": [
      [4_000, 4_010],
      [12_345, 12_351],
    ],
    "a server's clock is 40 minutes ahead": [[6_000, 6_048]],
    "a server's clock is 25 minutes behind": [[7_000, 7_036]],
    "the issuer is silent": [[10_000, 12_400]],
    "sweeps overlap": [
      [3_000, 3_300],
      [13_000, 13_300],
    ],
  },
  least: { renewals: 10_000, busy: 100, redelivered: 1_000, repeated: 100 },
};

const TWO_MONTHS: Form = {
  name: "two months",
  hours: 60 * 24,
  accounts: { plain: 60, weekend: 30, night: 30, critical: 20, ...RARE },
  faults: {
    "the signer fails for a day": [[200, 224]],
    "the cluster does not answer": [[400, 410]],
    "a server's clock is 40 minutes ahead": [[600, 648]],
    "a server's clock is 25 minutes behind": [[700, 736]],
    "the issuer is silent": [[250, 1_400]],
    "sweeps overlap": [[300, 360]],
  },
  least: { renewals: 600, busy: 100, redelivered: 100, repeated: 10 },
};

const FORM = isExhaustive ? TWO_YEARS : TWO_MONTHS;
const FAULTS = FORM.faults;
const during = (fault: Fault, hour: number): boolean =>
  FAULTS[fault].some(([from, until]) => hour >= from && hour < until);
const hourOf = (at: number): number => Math.floor((at - START) / HOUR);
const prevented = (from: number, until: number): boolean =>
  (["the signer fails for a day", "the cluster does not answer"] as const).some((fault) =>
    FAULTS[fault].some(([begin, end]) => hourOf(from) <= end && hourOf(until) >= begin),
  );

const random = chance(SEED);
const between = (from: number, to: number): number => from + Math.floor(random() * (to - from));
const oneOf = <T>(...choices: readonly T[]): T => choices[between(0, choices.length)] as T;

type Account = VirtualAccount & Partial<ClaimsChanges>;

function newAccount(kind: string, index: number): Account {
  const lifetime =
    kind === "daily" ? 1 : kind === "fixed" || kind === "issuer" ? oneOf(30, 90) : oneOf(7, 14, 30, 90, 180);
  const name = `${kind}-${index}-life${lifetime}`;
  // Earlier claims have any lifetime: others chose it.
  const given = kind === "daily" ? DAY : between(6, 200) * DAY;
  const iat = toSeconds(START) - Math.floor(random() * 0.6 * given);
  const exp = kind === "never" ? undefined : iat + given;
  return { ...virtualAccount(name), iat, exp, limits: NO_JETSTREAM };
}

interface Renewal {
  readonly at: number;
  readonly before: AccountClaims;
  readonly after: AccountClaims;
}

interface Expired {
  readonly name: string;
  readonly account: AccountId;
  readonly claims: AccountClaims;
}

async function simulate() {
  const accounts = Object.entries(FORM.accounts).flatMap(([kind, count]) =>
    Array.from({ length: count }, (_, index) => newAccount(kind, index)),
  );
  const world = virtualWorld({
    servers: 3,
    start: START,
    accounts,
    policy,
    policies,
    hasAccountKeys: false,
    hasSystemAccount: false,
    journal: { isForgetful: true },
    verifyEvery: millis(7 * 24 * HOUR),
  });
  world.machines.timing.answer = 0;
  const nameOf = new Map(accounts.map(({ id, name }) => [id, name]));
  const current = new Map<AccountId, AccountClaims>();
  const renewals: Renewal[] = [];
  const expired = new Map<string, Expired>();
  const counts = { sweeps: 0, queued: 0, worked: 0, redelivered: 0, busy: 0, deliveries: 0, repeated: 0 };

  const note = (claims: AccountClaims): void => void current.set(claims.sub, claims);
  for await (const entry of world.context.resolver.list()) if (entry.ok) note(entry.jwt.document.claims);

  let seen = 0;
  const takePushes = (): void => {
    for (const { at, jwt } of world.machines.pushes.slice(seen)) {
      const after = jwt.document.claims;
      const before = current.get(after.sub);
      if (before !== undefined) renewals.push({ at, before, after });
      note(after);
    }
    seen = world.machines.pushes.length;
  };

  const work = async (job: Job): Promise<void> => {
    counts.worked++;
    if ((await world.work(job)) === "account.busy") counts.busy++;
    takePushes();
  };

  const outbox: { readonly hour: number; readonly send: () => Promise<unknown> }[] = [];
  const issue = (hour: number): void => {
    for (const account of accounts) {
      const claims = current.get(account.id);
      if (!account.name.startsWith("issuer-") || claims?.exp === undefined) continue;
      const left = claims.exp - toSeconds(world.now());
      const lifetime = claims.exp - claims.iat;
      if (left > lifetime * 0.4 || during("the issuer is silent", hour)) continue;
      if (outbox.some((later) => later.hour > hour && "account" in later && later.account === account.id)) continue;
      const iat = toSeconds(world.now());
      const exp = iat + between(20, 90) * DAY;
      const token = world.issue(account, { iat, exp, limits: NO_JETSTREAM });
      const id = world.newId();
      const send = async (): Promise<void> => {
        counts.deliveries++;
        const end = await world
          .deliver({ id, digest: id, account: account.id, token, reason: "issued" })
          .catch(() => undefined);
        if (end?.outcome === "repeated") counts.repeated++;
      };
      // The webhook is repeated: at once, after an hour, after two days.
      for (const later of [0, 0, 1, 48]) outbox.push({ hour: hour + later, send });
      note({ ...claims, exp: iat + 900 * DAY } as AccountClaims);
      delivered.set(account.id, claims);
    }
  };
  const delivered = new Map<AccountId, AccountClaims>();

  const checkExpired = (): void => {
    const ahead = Math.max(0, ...world.machines.servers.map(({ skew }) => skew));
    for (const { id: account, name } of accounts) {
      const claims = current.get(account);
      if (claims?.exp !== undefined && claims.exp * 1000 <= world.now() + ahead)
        expired.set(claims.jti, { name, account, claims });
    }
  };

  for (let hour = 0; hour < FORM.hours; hour++) {
    world.state.signerIsDown = during("the signer fails for a day", hour);
    world.faults.isDown = during("the cluster does not answer", hour);
    const [first, second] = world.machines.servers;
    if (first) first.skew = millis(during("a server's clock is 40 minutes ahead", hour) ? 40 * 60_000 : 0);
    if (second) second.skew = millis(during("a server's clock is 25 minutes behind", hour) ? -25 * 60_000 : 0);

    issue(hour);
    for (const due of outbox.filter((entry) => entry.hour === hour)) await due.send();
    if (outbox.length > 0) outbox.splice(0, outbox.length, ...outbox.filter((entry) => entry.hour > hour));
    const pushed = world.queue.splice(0);
    for (const job of pushed) {
      const before = delivered.get(job.account);
      if (before !== undefined) current.set(job.account, before);
      delivered.delete(job.account);
      await work(job);
    }

    const overlap = during("sweeps overlap", hour);
    const sweeps = overlap ? [world.sweep(), world.sweep()] : [world.sweep()];
    const ends = await Promise.allSettled(sweeps);
    counts.sweeps += ends.length;
    const jobs = world.queue.splice(0);
    counts.queued += jobs.length;
    if (overlap) await Promise.all(jobs.map(work));
    else
      for (const job of jobs) {
        await work(job);
        if (random() < 0.02) {
          counts.redelivered++;
          await work(job);
        }
      }
    world.advance(START + (hour + 1) * HOUR - world.now());
    checkExpired();
  }
  return { world, accounts, renewals, expired: [...expired.values()], counts, nameOf };
}

let result: Awaited<ReturnType<typeof simulate>>;
beforeAll(async () => {
  const began = performance.now();
  result = await simulate();
  const { renewals, expired, counts, world, accounts } = result;
  const calls = world.incidents.filter(({ status }) => status === "open");
  const rows: [string, string | number][] = [
    ["accounts", accounts.length],
    ["simulated hours", FORM.hours],
    ...Object.entries(counts),
    ["renewals and deliveries pushed", renewals.length],
    ["expired, and could not be saved", expired.length],
    ...[...Map.groupBy(calls, ({ failureClass }) => failureClass)].map(([name, list]): [string, number] => [
      `calls: ${name}`,
      list.length,
    ]),
    ["seconds", Math.round((performance.now() - began) / 1000)],
  ];
  const width = Math.max(...rows.map(([what]) => what.length));
  process.stdout.write(`${rows.map(([what, value]) => `${what.padEnd(width)}  ${value}`).join("\n")}\n`);
}, 900_000);

const isAutomatic = (name: string | undefined): boolean => !name?.startsWith("issuer-");

describe(`in ${FORM.name} of ${Object.values(FORM.accounts).reduce((sum, count) => sum + count)} accounts`, () => {
  test("no account expired that the policy could have saved", () => {
    const saveable = result.expired.filter(({ name, claims }) => {
      const window = renewalWindow(claims, result.world.policyOf(claims.sub, claims));
      if (window === undefined) return true;
      if (name.startsWith("issuer-"))
        return !hourRange("the issuer is silent", window.opensAt - 60 * 24 * HOUR, window.expiresAt);
      // Only if the signer failed from before the instant until the end.
      return !prevented(window.renewAt, window.expiresAt) || !name.startsWith("daily-");
    });
    expect(saveable.map(({ name }) => name)).toEqual([]);
    expect(result.expired.length).toBeGreaterThan(10);
  });
  const hourRange = (fault: Fault, from: number, until: number): boolean =>
    FAULTS[fault].some(([begin, end]) => hourOf(from) <= end && hourOf(until) >= begin);

  /** Where the renewal failed, the page is about that, and says when the account expires, too. */
  const CALLS: readonly string[] = ["expiry_imminent", "renewal_failed"];

  test("each account that could not be saved was paged about in time", () => {
    const late = result.expired.filter(({ account, claims }) => {
      const window = renewalWindow(claims, result.world.policyOf(account, claims));
      const calls = result.world.incidents.filter(
        (incident) =>
          incident.account === account && incident.status === "open" && CALLS.includes(incident.failureClass),
      );
      const before = calls.filter(
        ({ at, evidence }) =>
          Date.parse(at) < (claims.exp ?? 0) * 1000 && JSON.stringify(evidence).includes(claims.jti),
      );
      const [first] = before;
      return window === undefined || first === undefined || Date.parse(first.at) > window.pageAt + HOUR;
    });
    expect(late.map(({ name, claims }) => `${name} ${isoTime(epochMillis((claims.exp ?? 0) * 1000))}`)).toEqual([]);
  });

  test("no renewal was made outside its window, unless it was prevented", () => {
    const own = result.renewals.filter(({ after }) => isAutomatic(result.nameOf.get(after.sub)));
    const wrong = own.filter(({ at, before }) => {
      const window = renewalWindow(before, result.world.policyOf(before.sub, before));
      if (window === undefined) return true;
      const ahead = during("a server's clock is 40 minutes ahead", hourOf(at)) ? 40 * 60_000 : 0;
      if (at < window.opensAt - ahead) return true;
      const isFirstLook = hourOf(at) < 3;
      return at > window.closesAt + HOUR && !isFirstLook && !prevented(window.renewAt, at);
    });
    expect(wrong.map(({ at, before }) => `${result.nameOf.get(before.sub)} ${isoTime(epochMillis(at))}`)).toEqual([]);
    expect(own.length).toBeGreaterThan(FORM.least.renewals);
  });

  test("no renewal was made in a blackout if it could have waited or come earlier", () => {
    const wrong = result.renewals.filter(({ at, before, after }) => {
      const rules = result.world.policyOf(after.sub, after);
      const window = renewalWindow(before, rules);
      if (!isAutomatic(result.nameOf.get(after.sub)) || window === undefined) return false;
      const [on] = blackedOut(rules.blackouts, { start: epochMillis(at), end: epochMillis(at + 1) });
      if (on === undefined || window.blackedOut || at >= window.closesAt) return false;
      return blackedOut(rules.blackouts, { start: epochMillis(at), end: window.closesAt })[0]?.end !== window.closesAt;
    });
    expect(wrong).toEqual([]);
  });

  test("no JWT was pushed twice, and no claims were renewed twice", () => {
    const ids = result.world.machines.pushes.map(({ jwt }) => jwt.document.claims.jti);
    expect(new Set(ids).size).toBe(ids.length);
    const renewed = result.renewals.map(({ before }) => before.jti);
    expect(new Set(renewed).size).toBe(renewed.length);
  });

  test("the faults happened: overlapping sweeps, duplicate messages, repeated webhooks", () => {
    expect(result.counts.busy).toBeGreaterThan(FORM.least.busy);
    expect(result.counts.redelivered).toBeGreaterThan(FORM.least.redelivered);
    expect(result.counts.repeated).toBeGreaterThan(FORM.least.repeated);
  });

  test("nobody was paged about nothing: accounts that never expire, and alarms without an expiry", () => {
    const never = new Set(result.accounts.filter(({ name }) => name.startsWith("never-")).map(({ id }) => id));
    const calls = result.world.incidents.filter(
      ({ account, failureClass }) => account !== "-" && never.has(account) && failureClass.startsWith("expiry"),
    );
    expect(calls).toEqual([]);
    const open = new Map<string, string>();
    for (const { key, status, failureClass } of result.world.incidents)
      if (failureClass.startsWith("expiry")) open.set(key, status);
    expect([...open.values()].filter((status) => status === "open").length).toBeLessThan(20);
  });
});
