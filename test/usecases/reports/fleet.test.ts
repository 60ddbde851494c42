import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { LastJob } from "../../../lib/domain/journal/last-job.ts";
import { type EpochMillis, epochMillis } from "../../../lib/domain/time/time.ts";
import {
  ageOf,
  countHealths,
  type FinishedJob,
  type FleetRow,
  fleetPage,
  standingOf,
  takeFleet,
  withJob,
} from "../../../lib/usecases/reports/fleet.ts";

const NOW = epochMillis(Date.UTC(2030, 0, 1));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const idOf = (index: number): AccountId =>
  `A${String(index)
    .padStart(55, "A")
    .replace(/\d/g, (digit) => "ABCDEFGHIJ"[Number(digit)] ?? "")}` as AccountId;
const ago = (time: number): EpochMillis => epochMillis(NOW - time);

const ended = (more: Partial<FinishedJob> = {}): FinishedJob => ({
  ...({ state: "finished", job: "j", outcome: "healthy", verdict: "healthy" } as const),
  ...{ at: ago(HOUR), verifiedAt: ago(HOUR), jti: "J", expiresAt: epochMillis(NOW + 60 * DAY) },
  ...more,
});
const rowOf = (last?: FinishedJob): FleetRow => ({ account: idOf(1), name: "", ...(last ? { last } : {}) });

interface Seeded {
  readonly name: string;
  readonly job?: LastJob;
  readonly forgotten?: boolean;
}

function fleetOf(
  seeded: readonly Seeded[],
  configured: readonly AccountId[] = [],
  listed: ReadonlyMap<AccountId, string> = new Map(),
) {
  let breaths = 0;
  const deps = {
    journal: {
      accounts: async function* () {
        for (const [index, { name, forgotten = false }] of seeded.entries())
          yield { account: idOf(index), name, forgotten };
      },
      latest: async (accounts: readonly AccountId[]) => {
        const found = seeded.flatMap(({ job }, index) =>
          job && accounts.includes(idOf(index)) ? [[idOf(index), job] as const] : [],
        );
        return new Map(found);
      },
    },
    configured,
    listed,
    nameOf: (account: AccountId) => (account === idOf(99) ? "CONFIGURED" : account),
    breathe: async () => void breaths++,
  };
  return {
    take: (before?: Awaited<ReturnType<typeof takeFleet>>) => takeFleet(deps, NOW, before),
    breaths: () => breaths,
  };
}

describe("the fleet", () => {
  test("has every account of the journal and the configuration, once, without forgotten ones", async () => {
    const { take } = fleetOf([{ name: "a" }, { name: "gone", forgotten: true }, { name: "" }], [idOf(0), idOf(99)]);
    const { rows } = await take();
    expect(rows.map(({ account, name }) => [account, name])).toEqual([
      [idOf(2), ""],
      [idOf(99), "CONFIGURED"],
      [idOf(0), "a"],
    ]);
  });

  test("has what the cluster lists beside it: never checked, and by the name that it has now", async () => {
    const listed = new Map([
      [idOf(0), "renamed"],
      [idOf(1), "reappeared"],
      [idOf(7), "new"],
    ]);
    const seeded = [{ name: "a", job: ended() }, { name: "gone", forgotten: true }, { name: "journal only" }];
    const { rows } = await fleetOf(seeded, [], listed).take();
    expect(rows.map(({ name }) => name).sort()).toEqual(["journal only", "new", "reappeared", "renamed"]);
    const row = rows.find(({ account }) => account === idOf(7)) as FleetRow;
    expect(standingOf(row, NOW)).toEqual({ health: "unknown", why: "never checked" });
    expect(ageOf(row, NOW)).toBeUndefined();
  });

  test.each<[string, Partial<FinishedJob>, number | undefined]>([
    ["a check", {}, HOUR],
    ["a check that could not tell", { verdict: "unknown", verifiedAt: ago(5 * HOUR) }, HOUR],
    [
      "a failed job after a check",
      { verdict: undefined as never, outcome: "failed", verifiedAt: ago(5 * HOUR) },
      5 * HOUR,
    ],
  ])("says when it was checked: %s", (_what, more, age) => expect(ageOf(rowOf(ended(more)), NOW)).toBe(age));

  test("begins with the most urgent: dead, unknown, past the page threshold, degraded, past the warning, then by expiry", async () => {
    const { take } = fleetOf([
      { name: "later", job: ended({ expiresAt: epochMillis(NOW + 90 * DAY) }) },
      { name: "sooner", job: ended() },
      { name: "never", job: { ...ended(), expiresAt: undefined } as unknown as LastJob },
      { name: "warns", job: ended({ warnAt: ago(1) }) },
      { name: "degraded", job: ended({ verdict: "degraded" }) },
      { name: "pages", job: ended({ warnAt: ago(2), pageAt: ago(1) }) },
      { name: "deleted", job: ended({ verdict: "dead", withdrawn: true }) },
      { name: "unchecked" },
      { name: "dead", job: ended({ verdict: "dead" }) },
    ]);
    const fleet = await take();
    const order = ["dead", "unchecked", "pages", "degraded", "warns", "sooner", "later", "never", "deleted"];
    expect(fleet.rows.map(({ name }) => name)).toEqual(order);
    expect(countHealths(fleet, NOW)).toEqual({ dead: 2, unknown: 1, degraded: 1, healthy: 5 });
  });

  test("keeps the last end while a job runs", async () => {
    const running: LastJob = { state: "running", job: "k", since: ago(1_000) };
    const before = await fleetOf([{ name: "a", job: ended({ verdict: "degraded" }) }]).take();
    const [row] = (await fleetOf([{ name: "a", job: running }]).take(before)).rows;
    expect(row).toMatchObject({ runningSince: ago(1_000), last: { verdict: "degraded" } });
    expect(withJob(row as FleetRow, ended())).not.toHaveProperty("runningSince");
  });

  test("knows storms of planned renewals, and no past ones", async () => {
    const many = (at: number) =>
      Array.from({ length: 21 }, () => ({ name: "x", job: ended({ renewAt: epochMillis(at) }) }));
    expect((await fleetOf(many(NOW + HOUR)).take()).storms).toMatchObject([{ perHour: 21, from: NOW + HOUR }]);
    expect((await fleetOf(many(NOW - HOUR)).take()).storms).toEqual([]);
  });

  test("lets other work run between batches", async () => {
    const { take, breaths } = fleetOf(Array.from({ length: 401 }, () => ({ name: "x" })));
    await take();
    expect(breaths()).toBe(5);
  });
});

describe("what may be said about an account", () => {
  test.each<[string, FinishedJob | undefined, string, RegExp | undefined]>([
    ["never checked", undefined, "unknown", /never checked/],
    ["healthy an hour ago", ended(), "healthy", undefined],
    ["healthy two days ago", ended({ at: ago(2 * DAY) }), "unknown", /was healthy .* too long ago/],
    ["dead two days ago", ended({ at: ago(2 * DAY), verdict: "dead" }), "dead", undefined],
    ["healthy, and expired since", ended({ expiresAt: ago(1) }), "unknown", /have expired since/],
    [
      "without a verdict",
      { ...ended({ outcome: "failed" }), verdict: undefined } as unknown as FinishedJob,
      "unknown",
      /failed/,
    ],
  ])("%s", (_what, last, health, why) => {
    const standing = standingOf(rowOf(last), NOW);
    expect(standing.health).toBe(health);
    if (why === undefined) expect(standing.why).toBeUndefined();
    else expect(standing.why).toMatch(why);
  });
});

test("a page has the matching accounts, by verdict, a part of the name, or the beginning of the id", async () => {
  const fleet = await fleetOf([
    { name: "Orders-EU", job: ended() },
    { name: "orders-us", job: ended({ verdict: "dead" }) },
    { name: "chat" },
  ]).take();
  const page = (filter: object, at = 1) => fleetPage(fleet, filter, { page: at, size: 2, now: NOW });
  const names = (filter: object, at?: number) => page(filter, at).rows.map(({ name }) => name);
  expect(names({ search: "ORDERS" })).toEqual(["orders-us", "Orders-EU"]);
  expect(names({ search: "orders", health: "healthy" })).toEqual(["Orders-EU"]);
  expect(names({ search: idOf(2).slice(0, 56).toLowerCase() })).toEqual(["chat"]);
  expect(page({}, 9)).toMatchObject({ page: 2, pages: 2, found: 3, rows: [{ name: "Orders-EU" }] });
  expect(page({ search: "nothing" })).toMatchObject({ page: 1, pages: 1, found: 0, rows: [] });
});
