import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { AccountClaims } from "../../../lib/domain/claims/claims.ts";
import type { LastJob } from "../../../lib/domain/journal/last-job.ts";
import type { Measurement } from "../../../lib/domain/metrics/measures.ts";
import { type EpochMillis, epochMillis, epochSeconds, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Probes } from "../../../lib/ports/cluster.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import type { JournalledAccount } from "../../../lib/ports/journal.ts";
import type { ListedJwt } from "../../../lib/ports/resolver.ts";
import type { SourceEntry } from "../../../lib/ports/source.ts";
import {
  CHUNK,
  IMMINENT_PLACES,
  type Sweep,
  type SweepContext,
  type SweepOrder,
  sweep,
} from "../../../lib/usecases/sweep/sweep.ts";
import { newPolicy } from "../../domain/policies.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const clock = fakeClock();
const NOW = clock.now();
const MINUTE = 60_000;
const DAY = 86_400;

const idOf = (index: number): AccountId =>
  `A${index
    .toString(32)
    .replace(/[0189]/g, (digit) => ({ 0: "W", 1: "X", 8: "Y", 9: "Z" })[digit] ?? "")
    .toUpperCase()
    .padStart(55, "W")}` as AccountId;

/** The resolver's entry for account `index`, so many days after it was issued for ninety. */
function entryOf(index: number, daysOver = 1): ListedJwt & { ok: true } {
  const sub = idOf(index);
  const iat = epochSeconds(NOW / 1000 - daysOver * DAY);
  const claims = {
    jti: `J${index}`,
    iat,
    exp: epochSeconds(iat + 90 * DAY),
    iss: "O",
    sub,
    name: `app-${index}`,
    nats: {},
  };
  const document = { claims: claims as unknown as AccountClaims, text: JSON.stringify(claims) };
  return { ok: true, jwt: { token: `token ${index}`, document, signatureValid: true } } as ListedJwt & {
    ok: true;
  };
}

const well = (index: number, minutesAgo: number, fields: object = {}): LastJob => {
  const at = epochMillis(NOW - minutesAgo * MINUTE);
  const known = { job: "j", verdict: "healthy", jti: `J${index}`, verifiedAt: at } as const;
  return { state: "finished", at, outcome: "healthy", ...known, ...fields } as LastJob;
};

interface Scene {
  readonly list: () => AsyncIterable<ListedJwt>;
  readonly lastJob?: (account: AccountId) => LastJob | undefined;
  readonly source?: readonly SourceEntry[];
  readonly configured?: readonly AccountId[];
  readonly journalled?: readonly JournalledAccount[];
  readonly loaded?: Awaited<ReturnType<Probes["accounts"]>>;
  readonly waiting?: number;
  readonly settings?: Partial<SweepContext["settings"]>;
  readonly onLatest?: (accounts: readonly AccountId[]) => void;
  readonly which?: SweepOrder["which"];
  /** Collects the queued jobs, for a sweep that fails. */
  readonly jobs?: Job[];
  readonly measured?: Measurement[];
}

async function run(scene: Scene): Promise<{ report: Sweep; jobs: readonly Job[]; warnings: number }> {
  const { jobs = [] } = scene;
  const log = fakeLog();
  const context = {
    clock,
    log,
    newId: () => "sweep-1",
    metrics: { emit: (list: readonly Measurement[]) => void scene.measured?.push(...list) },
    configured: scene.configured ?? [],
    resolver: { list: scene.list },
    policyOf: () => newPolicy(),
    journal: {
      latest: async (accounts: readonly AccountId[]) => {
        scene.onLatest?.(accounts);
        const known = accounts.map((account) => [account, scene.lastJob?.(account)] as const);
        return new Map(known.filter(([, lastJob]) => lastJob !== undefined));
      },
      accounts: () => of(scene.journalled ?? []),
    },
    probes: { accounts: async () => scene.loaded ?? { ok: true, value: [] } },
    jobs: {
      enqueueAll: async (all: readonly Job[]) => void jobs.push(...all),
      waiting: async () => scene.waiting ?? 0,
    },
    ...(scene.source === undefined
      ? {}
      : { source: { claims: { accounts: () => of(scene.source ?? []) }, onDifference: "page" } }),
    settings: { verifyEvery: millis(5 * MINUTE), atMostWaiting: 1_000, ...scene.settings },
  } as unknown as SweepContext;
  const order: SweepOrder = { trigger: "schedule", reason: "schedule", which: scene.which ?? "due" };
  const report = await sweep(context, order);
  return { report, jobs, warnings: log.lines.filter(({ level }) => level === "warn").length };
}

async function* of<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items;
}

function* range(count: number): Iterable<number> {
  for (let index = 0; index < count; index += 1) yield index;
}

const indexOf = new Map([...range(5_000)].map((index) => [idOf(index), index]));
const byIndex = (lastJob: (index: number) => LastJob | undefined) => (account: AccountId) =>
  lastJob(indexOf.get(account) ?? -1);

describe("a sweep", () => {
  test("queues each due account once with the reason, and leaves the others alone", async () => {
    const list = () => of([entryOf(0), entryOf(1), entryOf(2, 91), entryOf(3), entryOf(2, 91)]);
    const lastJob = byIndex((index) => [undefined, well(1, 0), well(2, 1), well(3, 1, { verdict: "dead" })][index]);
    const { report, jobs } = await run({ list, lastJob, settings: { verifyEvery: millis(60 * MINUTE) } });
    expect(jobs.map(({ account, reason }) => [indexOf.get(account), reason])).toEqual([
      [0, "schedule: it has never been checked"],
      [2, "schedule: it expired 1d ago"],
      [3, "schedule: its last verdict was dead (healthy)"],
    ]);
    expect(jobs[0]).toMatchObject({ action: "remediate", correlation: "sweep-1", id: `sweep-1/${idOf(0)}` });
    expect(report).toMatchObject({
      id: "sweep-1",
      seen: 4,
      queued: 3,
      queuedBy: { new: 1, expired: 1, unwell: 1 },
      postponed: 0,
      pastPage: 1,
      oldestUnverified: MINUTE,
      soonestExpiry: NOW - DAY * 1000,
      waiting: 0,
      unreadable: [],
    });
  });

  test("queues everything on request, whatever waits", async () => {
    const list = () => of([...range(250)].map((index) => entryOf(index)));
    const { report, jobs } = await run({
      list,
      lastJob: byIndex((i) => well(i, 0)),
      waiting: 9_999,
      which: "everything",
    });
    expect(jobs).toHaveLength(250);
    expect(report).toMatchObject({ seen: 250, queued: 250, queuedBy: { everything: 250 }, postponed: 0 });
  });

  test("includes what the resolver lost: configured accounts, and those of the source of truth", async () => {
    const { jwt } = entryOf(3);
    const source: SourceEntry[] = [
      { ok: true, place: "a.jwt", jwt },
      { ok: true, place: "b.jwt", jwt: entryOf(0).jwt },
      { ok: false, place: "c.jwt", problem: "is no JWT" },
    ];
    const bad: ListedJwt = { ok: false, account: idOf(1), problem: "is no JWT" };
    const odd: ListedJwt = { ok: false, account: "junk", problem: "is no JWT" };
    const expiresAt = epochMillis(NOW - 1);
    const { report, jobs, warnings } = await run({
      list: () => of([entryOf(0), bad, odd]),
      source,
      configured: [idOf(0), idOf(2)],
      lastJob: byIndex((index) => well(index, 0, index === 2 ? { expiresAt } : {})),
    });
    expect(jobs.map(({ account }) => indexOf.get(account))).toEqual([1, 2, 3, 0]);
    expect(report.queuedBy).toEqual({ unreadable: 1, expired: 1, changed: 1, routine: 1 });
    expect(report.unreadable.map(({ account }) => account)).toEqual([idOf(1), "junk", "c.jwt"]);
    expect({ pastPage: report.pastPage, warnings }).toEqual({ pastPage: 1, warnings: 2 });
  });

  test("without a resolver that lists, sweeps the configured accounts and treats none as lost", async () => {
    const list = async function* (): AsyncIterable<ListedJwt> {
      yield* [];
      throw new RelightError("nats.no_resolver", "there is none");
    };
    const lastJob = byIndex((index) => well(index, 10));
    const { report } = await run({ list, lastJob, configured: [idOf(0), idOf(1)] });
    expect(report.queuedBy).toEqual({ routine: 2 });
  });

  test("names a server that did not list its accounts, and treats none as lost", async () => {
    const silent: ListedJwt = { ok: false, account: "s3", of: "server", problem: "did not say" };
    const lastJob = byIndex((index) => well(index, 0));
    const list = () => of([entryOf(0), silent]);
    const { report, warnings } = await run({ list, lastJob, configured: [idOf(1)] });
    expect(report).toMatchObject({
      queuedBy: { routine: 2 },
      unreadable: [{ account: "s3", problem: "did not say" }],
    });
    expect(warnings).toBe(1);
  });

  test("includes what only the journal or a server still knows, but not what a person forgot", async () => {
    const named = (index: number, forgotten = false) => ({ account: idOf(index), name: "", forgotten });
    const looked: AccountId[] = [];
    const { jobs } = await run({
      list: () => of([entryOf(0)]),
      journalled: [named(0), named(1), named(2, true)],
      loaded: { ok: true, value: [idOf(1), idOf(2), idOf(3)] },
      onLatest: (accounts) => void looked.push(...accounts),
    });
    expect(looked).toEqual([idOf(0), idOf(1), idOf(3)]);
    expect(jobs.map(({ account }) => account)).toEqual(looked);
  });

  test("servers that don't list their loaded accounts do not stop a sweep, which logs it", async () => {
    const loaded = { ok: false, code: "nats.timeout", message: "no answer" } as const;
    const { jobs, warnings } = await run({ list: () => of([entryOf(0)]), loaded });
    expect(jobs).toHaveLength(1);
    expect(warnings).toBe(1);
  });

  test("an interrupted list fails the sweep after it has queued the listed and configured accounts", async () => {
    const looked: AccountId[] = [];
    const list = async function* (): AsyncIterable<ListedJwt> {
      for (const index of range(CHUNK)) yield entryOf(index);
      throw new RelightError("nats.timeout", "broke off");
    };
    const [jobs, measured]: [Job[], Measurement[]] = [[], []];
    const onLatest = (accounts: readonly AccountId[]) => void looked.push(...accounts);
    const sweeping = run({ list, onLatest, jobs, measured, configured: [idOf(0), idOf(CHUNK)] });
    await expect(sweeping).rejects.toMatchObject({ code: "nats.timeout" });
    // A failed sweep is not recorded as finished.
    expect(measured).toEqual([]);
    expect(looked).toHaveLength(CHUNK + 1);
    expect(jobs.map(({ account }) => account)).toContain(idOf(CHUNK));
  });
});

describe("a queue that has little room", () => {
  test("gets the routine accounts that waited longest; the others follow, and none is forgotten", async () => {
    const verified = new Map<number, EpochMillis>();
    const lastJob = byIndex((index) => well(index, 0, { at: epochMillis(0), verifiedAt: verified.get(index) ?? NOW }));
    for (const index of range(300)) verified.set(index, epochMillis(NOW - 10 * DAY * 1000 - ((index * 7_919) % 300)));
    const met = new Set<number>();
    for (const round of range(6)) {
      const list = () => of([...range(300)].map((index) => entryOf(index)));
      const { report, jobs } = await run({ list, lastJob, settings: { atMostWaiting: 50 } });
      expect(report).toMatchObject({ queued: 50, postponed: 250, seen: 300 });
      for (const { account } of jobs) {
        const index = indexOf.get(account) ?? -1;
        expect(met).not.toContain(index);
        met.add(index);
        verified.set(index, epochMillis(NOW + round));
      }
    }
    expect(met.size).toBe(300);
  });

  test("keeps a quarter for routine accounts while many are unhealthy", async () => {
    const list = () => of([...range(400)].map((index) => entryOf(index)));
    const lastJob = byIndex((index) => well(index, 10, index < 300 ? { verdict: "dead" } : {}));
    const { report } = await run({ list, lastJob, settings: { atMostWaiting: 100 } });
    expect(report).toMatchObject({ queuedBy: { unwell: 75, routine: 25 }, postponed: 300 });
    const half = await run({ list, lastJob, settings: { atMostWaiting: 100 }, waiting: 60 });
    expect(half.report).toMatchObject({ queuedBy: { unwell: 30, routine: 10 }, waiting: 60 });
  });

  test("gives room that routine accounts don't need to urgent ones", async () => {
    const list = () => of([...range(400)].map((index) => entryOf(index)));
    const lastJob = byIndex((index) => well(index, 10, index < 390 ? { verdict: "dead" } : {}));
    const { report } = await run({ list, lastJob, settings: { atMostWaiting: 100 } });
    expect(report).toMatchObject({ queuedBy: { unwell: 90, routine: 10 }, queued: 100, postponed: 300 });
  });

  test("gets accounts of unknown health again, however many are new", async () => {
    const list = () => of([...range(400)].map((index) => entryOf(index)));
    const lastJob = byIndex((index) =>
      index < 390 ? undefined : well(index, 5, { verdict: "unknown", outcome: "escalated" }),
    );
    const { jobs } = await run({ list, lastJob, settings: { atMostWaiting: 100 } });
    const unknown = jobs.filter(({ account }) => (indexOf.get(account) ?? 0) >= 390);
    expect([jobs.length, unknown.length]).toEqual([100, 10]);
  });

  test("accepts imminent accounts even if it is full, but not a storm of them", async () => {
    const list = () => of([...range(300)].map((index) => entryOf(index, 91)));
    const { report } = await run({ list, waiting: 5_000 });
    expect(report).toMatchObject({ queuedBy: { expired: IMMINENT_PLACES }, postponed: 200, pastPage: 300 });
  });
});

test("100,000 accounts stream through: only a chunk and a backlog are held, and the limit is queued", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const handedOut: WeakRef<object>[] = [];
  let asked = 0;
  let most = 0;
  const list = async function* (): AsyncIterable<ListedJwt> {
    for (const index of range(100_000)) {
      const entry = entryOf(index, index % 1_000 === 0 ? 91 : 1);
      if (index % 20 === 0) handedOut.push(new WeakRef(entry.jwt.document));
      yield entry;
      // Redelivered out of order, as with two servers that answer.
      if (index % 97 === 96) yield entryOf(index - 50);
      if (index % 10_000 !== 9_999) continue;
      // References are released only when their task is over.
      await new Promise((resolve) => setImmediate(resolve));
      gc();
      most = Math.max(most, handedOut.filter((ref) => ref.deref() !== undefined).length);
    }
  };
  const { report, jobs } = await run({
    list,
    settings: { atMostWaiting: 500 },
    lastJob: () => well(0, 10, { jti: undefined, outcome: "healthy" }),
    onLatest: (accounts) => {
      asked += accounts.length;
      expect(accounts.length).toBeLessThanOrEqual(CHUNK);
    },
  });
  expect({ asked, seen: report.seen }).toEqual({ asked: 100_000, seen: 100_000 });
  expect(jobs).toHaveLength(500);
  expect(new Set(jobs.map(({ account }) => account)).size).toBe(500);
  expect(report.queued + report.postponed).toBe(100_000);
  // One in twenty is watched: a chunk of 100 has five of them, and a backlog keeps no claims.
  expect(most).toBeLessThanOrEqual(10);
  expect(handedOut).toHaveLength(5_000);
});
