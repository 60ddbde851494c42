import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import type { ClusterEvent } from "../../../lib/domain/watch/watch.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { waitUntil } from "../../../lib/usecases/context/wait-until.ts";
import type { KnownExpiry } from "../../../lib/usecases/watch/expiry-times.ts";
import { type JobEnd, type WatchNote, watch } from "../../../lib/usecases/watch/watch.ts";
import { watchQueue } from "../../../lib/usecases/watch/watch-queue.ts";
import { watchSweeps } from "../../../lib/usecases/watch/watch-sweeps.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";

/** Its time passes when everything waits: minutes take no time here. */
const clock = fakeClock();
const account = (index: number): AccountId => `A${String.fromCharCode(65 + index).repeat(55)}` as AccountId;
const [A, B] = [account(0), account(1)];
const operator = {
  id: `O${"A".repeat(55)}`,
  name: "OP",
  signingKeys: [`O${"B".repeat(55)}`],
  strictSigningKeyUsage: true,
};
const AT_ONCE = millis(0);
const BUSY: JobEnd = { state: "failed", error: new RelightError("account.busy", "another is at work") };

/** Lets timers that are due run. */
const turn = (ms = 20): Promise<void> => clock.sleep(millis(ms));

async function waitFor(what: string, isMet: () => boolean): Promise<void> {
  const wait = { interval: millis(1), timeout: millis(60_000) };
  if (!(await waitUntil(clock, isMet, wait))) throw new Error(`waited in vain for ${what}`);
}

describe("the queue", () => {
  /** Work that lasts until a test ends it. */
  function openQueue(onOverflow = (): void => undefined) {
    const begun: (readonly [AccountId, string])[] = [];
    const ends: (() => void)[] = [];
    const work = (id: AccountId, reason: string): Promise<"done"> => {
      begun.push([id, reason]);
      return new Promise((resolve) => ends.push(() => resolve("done")));
    };
    const queue = watchQueue({ clock, timing: TIMING, work, onOverflow });
    return { queue, begun, endAll: () => ends.splice(0).forEach((end) => void end()) };
  }

  test("events of one account are one job, with the first reasons", async () => {
    const { queue, begun, endAll } = openQueue();
    for (const reason of ["one", "two", "two", "three", "four", "five"]) queue.ask(A, reason, millis(10));
    await waitFor("the job", () => begun.length === 1);
    expect(begun).toEqual([[A, "one; two; three and 2 more"]]);
    endAll();
    await queue.stop();
  });

  test("never runs two jobs of one account, nor more than four in all", async () => {
    const { queue, begun, endAll } = openQueue();
    for (let index = 0; index < 6; index++) queue.ask(account(index), "x", AT_ONCE);
    await waitFor("four jobs", () => begun.length === 4);
    queue.ask(A, "again", AT_ONCE);
    await turn();
    expect(begun).toHaveLength(4);
    endAll();
    await waitFor("the next", () => begun.length === 6);
    await turn(100);
    // The account whose job has just ended waits longer than it asked for.
    expect(begun.map(([id]) => id)).toEqual([0, 1, 2, 3, 4, 5].map(account));
    endAll();
    await queue.stop();
  });

  test("an account whose job has just ended waits two seconds for its next job", async () => {
    const { queue, begun, endAll } = openQueue();
    queue.ask(A, "first", AT_ONCE);
    await waitFor("the first job", () => begun.length === 1);
    queue.ask(A, "while it was under way", AT_ONCE);
    const ended = clock.monotonic();
    endAll();
    await waitFor("the second job", () => begun.length === 2);
    expect(clock.monotonic() - ended).toBe(2_000);
    endAll();
    await queue.stop();
  });

  test("an account that another process works on is tried again once, ten seconds later", async () => {
    const begun: number[] = [];
    const start = clock.monotonic();
    const work = async (): Promise<"busy"> => {
      begun.push(clock.monotonic() - start);
      return "busy";
    };
    const queue = watchQueue({ clock, timing: TIMING, work, onOverflow: () => undefined });
    queue.ask(A, "x", AT_ONCE);
    await turn(300_000);
    expect(begun).toEqual([0, 10_000]);
    await queue.stop();
  });

  test("a thousand waiting accounts become one sweep", async () => {
    let overflows = 0;
    const { queue } = openQueue(() => (overflows += 1));
    for (let index = 0; index < 1_100; index++) queue.ask(`A${index}` as AccountId, "x", millis(60_000));
    expect(overflows).toBe(100);
    await queue.stop();
  });

  test("stopping starts nothing more, and waits for running jobs", async () => {
    const { queue, begun, endAll } = openQueue();
    queue.ask(A, "x", AT_ONCE);
    await waitFor("the job", () => begun.length === 1);
    queue.ask(B, "x", AT_ONCE);
    let stopped = false;
    const stopping = queue.stop().then(() => (stopped = true));
    await turn();
    expect({ stopped, begun: begun.length }).toEqual({ stopped: false, begun: 1 });
    endAll();
    await stopping;
    expect(begun).toHaveLength(1);
  });
});

describe("sweeps", () => {
  function openSweeps(every?: number) {
    const begun: string[] = [];
    const work = async (_trigger: string, reason: string): Promise<void> => void begun.push(reason);
    return {
      begun,
      sweeps: watchSweeps({ clock, every: every === undefined ? undefined : millis(every), work }),
    };
  }

  test("several requests are one sweep: the earliest", async () => {
    const { begun, sweeps } = openSweeps();
    sweeps.ask("event", "late", millis(60_000));
    sweeps.ask("event", "early", millis(10));
    sweeps.ask("event", "between", millis(30));
    await waitFor("the sweep", () => begun.length > 0);
    await turn(50);
    expect(begun).toEqual(["early"]);
    await sweeps.stop();
  });

  test("a sweep that an event asked for is dropped while the cluster is away; the periodic one is not", async () => {
    const { begun, sweeps } = openSweeps(40);
    sweeps.ask("event", "a server stopped", millis(10));
    sweeps.forget();
    await waitFor("the periodic sweeps", () => begun.length >= 2);
    expect(new Set(begun)).toEqual(new Set(["the periodic sweep"]));
    await sweeps.stop();
  });

  test("without a period there is none", async () => {
    const { begun, sweeps } = openSweeps();
    sweeps.ask("schedule", "the first", AT_ONCE);
    await waitFor("the sweep", () => begun.length > 0);
    sweeps.forget();
    await turn(50);
    expect(begun).toEqual(["the first"]);
    await sweeps.stop();
  });
});

describe("a sequence of events", () => {
  /** Watches these events, then waits for the jobs that they lead to, and ends. */
  async function watchThese(
    events: readonly ClusterEvent[],
    options: {
      jobs: number;
      end?: JobEnd;
      running?: () => Promise<never>;
      sweeps?: boolean;
      expiring?: readonly KnownExpiry[];
      latest?: JournalEntry;
    } = { jobs: 0 },
  ) {
    const journal = fakeJournal(clock);
    const log = fakeLog();
    const jobs: Job[] = [];
    const notes: WatchNote[] = [];
    const own = { jwt: { jti: "own" } };
    await journal.append({ at: clock.now(), job: "j", account: A, kind: "push.started", data: own });
    if (options.latest !== undefined) await journal.append(options.latest);
    async function* listen(): AsyncIterable<ClusterEvent> {
      yield* events;
      await waitFor("the jobs", () => jobs.length >= options.jobs);
    }
    await watch({
      clock,
      timing: TIMING,
      journal,
      log,
      newId: () => `id${jobs.length}`,
      configured: [A],
      operator,
      sweepEvery: options.sweeps === true ? millis(60_000) : undefined,
      program: "relight serve",
      events: { listen, running: options.running ?? (async () => []), [Symbol.asyncDispose]: async () => {} },
      work: async (job) => {
        jobs.push(job);
        return options.end ?? { state: "queued" };
      },
      sweep: async () => ({ queued: 0, ends: [], expiring: options.expiring ?? [] }),
      report: (note) => void notes.push(note),
    });
    return { jobs, notes, log, journal };
  }

  test("a deletion request that servers obey is recorded and checked; any other one is a note", async () => {
    const order = {
      kind: "deletion-ordered",
      iat: 5,
      jti: "D1",
      issuer: operator.id,
      isSelfSigned: true,
    } as const;
    const { jobs, notes, journal } = await watchThese(
      [
        { ...order, account: A },
        { ...order, account: B, issuer: `O${"C".repeat(55)}` },
        { ...order, account: B, isSelfSigned: false },
        { ...order, account: B, issuer: operator.signingKeys[0] ?? "" },
      ],
      { jobs: 2 },
    );
    expect(jobs.map(({ account: of }) => of)).toEqual([A, B]);
    const actions = notes.flatMap((note) => (note.what === "heard" ? [note.action.do] : []));
    expect(actions).toEqual(["job", "note", "note", "job"]);
    const written = journal.entries.filter(({ kind }) => kind === "account.deleted");
    expect(written.map(({ account: of, data }) => [of, data["how"], data["order"]])).toEqual([
      [A, "ordered", "D1"],
      [B, "ordered", "D1"],
    ]);
  });

  test("somebody's push starts a remediate job with trigger event; Relight's own push none", async () => {
    const { jobs, notes } = await watchThese(
      [
        { kind: "claims-pushed", account: A, jti: "own" },
        { kind: "claims-pushed", account: B, jti: "theirs" },
      ],
      { jobs: 1 },
    );
    expect(jobs).toEqual([
      {
        account: B,
        trigger: "event",
        action: "remediate",
        id: "id0",
        correlation: "id0",
        reason: "somebody pushed claims (theirs)",
      },
    ]);
    expect(notes.filter(({ what }) => what === "heard")).toHaveLength(1);
  });

  test("a failed request is logged, and the account is checked", async () => {
    const running = async (): Promise<never> => {
      throw new RelightError("nats.timeout", "no answer");
    };
    const { jobs, log } = await watchThese([{ kind: "client-expired", account: B, user: "U" }], {
      jobs: 1,
      running,
    });
    expect(jobs.map(({ reason }) => reason)).toEqual(["a client's authentication expired; the account may have, too"]);
    expect(log.lines).toContainEqual(expect.objectContaining({ level: "warn" }));
  });

  test("work of another process is a note, and no storm", async () => {
    const event: ClusterEvent = { kind: "quorum-lost", account: A, asset: "stream ORDERS" };
    const { jobs, notes } = await watchThese([event, event, event], { jobs: 1, end: BUSY });
    expect(jobs).toHaveLength(1);
    expect(notes).toContainEqual(expect.objectContaining({ what: "job", account: A, end: BUSY }));
  });

  const FOR_ALL: readonly ClusterEvent[] = [
    { kind: "server-joined", server: "n1" },
    { kind: "connection-regained" },
    { kind: "events-missed" },
  ];

  test("where sweeps are off none begins, neither at the start nor because of an event; accounts still have jobs", async () => {
    const pushed: ClusterEvent = { kind: "claims-pushed", account: B, jti: "theirs" };
    const { jobs, notes } = await watchThese([...FOR_ALL, pushed], { jobs: 1 });
    expect(jobs.map(({ account: of }) => of)).toEqual([B]);
    expect(notes.filter(({ what }) => what === "sweep")).toEqual([]);
    expect(notes.flatMap((note) => (note.what === "heard" ? [note.action] : [])).slice(0, 3)).toEqual([
      { do: "note", why: "server n1 joined; sweeps are off" },
      { do: "note", why: "reconnected; events were missed meanwhile; sweeps are off" },
      { do: "note", why: "too many events to handle one by one; sweeps are off" },
    ]);
  });

  test("the first sweep says which program started it", async () => {
    const pushed: ClusterEvent = { kind: "claims-pushed", account: B, jti: "theirs" };
    const { notes } = await watchThese([pushed], { jobs: 1, sweeps: true });
    expect(notes).toContainEqual(expect.objectContaining({ what: "sweep", reason: "relight serve started" }));
  });

  describe("an account that expires while nobody uses it", () => {
    const inSeconds = (seconds: number) => epochMillis(clock.now() + seconds * 1_000);
    const jobsOf = async (expiring: readonly KnownExpiry[], latest?: JournalEntry) => {
      const start = clock.now();
      const { jobs } = await watchThese([], { jobs: expiring.length, sweeps: true, expiring, ...defined({ latest }) });
      return { waited: clock.now() - start, told: jobs.map(({ account: of, reason }) => [of, reason]) };
    };

    test("is checked as soon as it has expired", async () => {
      const { told, waited } = await jobsOf([
        { account: B, at: inSeconds(4) },
        { account: A, at: inSeconds(2) },
      ]);
      expect(told.slice(0, 2)).toEqual([
        [A, "its claims have expired"],
        [B, "its claims have expired"],
      ]);
      expect(waited).toBeGreaterThan(4_000);
      expect(waited).toBeLessThan(10_000);
    });

    test("is left alone if a job has seen later claims meanwhile", async () => {
      const data = { outcome: "renewed", expiresAt: inSeconds(6) };
      const renewed = { at: clock.now(), job: "order", account: A, kind: "job.finished", data } as const;
      const { told } = await jobsOf([{ account: A, at: inSeconds(2) }], renewed);
      expect(told).toEqual([[A, "its claims have expired"]]);
      expect(clock.now()).toBeGreaterThan(Number(data.expiresAt));
    });
  });

  test("it starts with a sweep, and fails if the event stream ends", async () => {
    const notes: WatchNote[] = [];
    const error = new RelightError("nats.connection_lost", "closed");
    async function* listen(): AsyncIterable<ClusterEvent> {
      await waitFor("the sweep", () => notes.length > 0);
      throw error;
    }
    const watching = watch({
      clock,
      timing: TIMING,
      journal: fakeJournal(clock),
      log: fakeLog(),
      newId: () => "id",
      configured: [],
      operator,
      events: { listen, running: async () => [], [Symbol.asyncDispose]: async () => {} },
      work: async () => ({ state: "queued" }),
      sweep: async () => ({ queued: 3, ends: [], expiring: [] }),
      report: (note) => void notes.push(note),
      sweepEvery: millis(60_000),
      program: "relight watch",
    });
    await expect(watching).rejects.toBe(error);
    expect(notes).toEqual([
      { what: "sweep", reason: "relight watch started", end: { queued: 3, ends: [], expiring: [] } },
    ]);
  });
});
