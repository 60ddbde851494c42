import { afterAll, beforeAll, expect, test } from "@jest/globals";
import pMap from "p-map";
import { nowSeconds } from "../../lab/keys.ts";
import { fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { countIn, deliveriesOf, isDelivered, sendJob } from "../../lab/twin/messages.ts";
import { ageJournal, passTime } from "../../lab/twin/time.ts";
import { byHand, bySchedule } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin, ROOM } from "../support/twin.ts";

const artefacts = packageForTwin();

/** By default each sweep checks healthy accounts, too. */
const SELDOM = "sweep: { verifyEvery: 1h }\n";
const MINUTE = 60_000;
/** The minutes of the outage with a sweep: each of the first hour, then one an hour, or a sample of them. */
const SWEEPS = sampleOf(
  [0, 5, 10, 15, 20, 25, 60, 120, 300, 360, 480],
  [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 120, 180, 240, 300, 360, 420, 480],
);
/**
 * When a person is paged: once it has lasted five minutes, then after the pauses of lib/domain/incidents/repeats.ts: 15
 * minutes, an hour, four hours.
 */
const PAGES = [5, 20, 120, 360];
/** `maximumConcurrency` of the queue's mapping. */
const AT_ONCE = 5;

describeTwin("a cluster that can't be reached for hours", () => {
  let world: World;
  let twin: Twin;
  /** Two that expire in that time, with a stream each; others that become due for renewal. */
  const [expiring, due]: [World[], World[]] = [[], []];
  const all = (): readonly World[] => [...expiring, ...due];
  let before: readonly unknown[] = [];

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, jetstream: ROOM });
    const accounts: Record<string, World> = { APP: world };
    for (let index = 0; index < 10; index += 1) {
      const account = await retry(`OUT${index}`, () => anotherAccount(world, `OUT${index}`));
      accounts[`OUT${index}`] = account;
      (index < 2 ? expiring : due).push(account);
    }
    for (const account of expiring) await fill(account, { messages: 5, replicas: 1 });
    twin = await startTwin({ world, artefacts, accounts, yaml: SELDOM });
    // Known and healthy, so later faults are the outage's.
    await bySchedule(twin);
    await twin.queues.idle({ timeout: 180_000 });
    before = await pMap(expiring, snapshot, { concurrency: 1 });
    await pMap(due, (account) => retry("a renewal", () => renewByHand(account, 3_600)), { concurrency: 1 });
    // Relight has seen their expiry: the resolver deletes expired JWTs.
    let over = 0;
    for (const account of expiring) {
      over = nowSeconds() + 15;
      await account.push(account.sign(account.claims({ exp: over })));
      expect(await byHand(twin, account.accountId, "verify")).toMatchObject({ kind: "answered" });
    }
    await world.server.stop();
    // While one of them nears its expiry, pages are not delayed.
    await waitFor("both to be over", () => nowSeconds() > over, { timeout: 30_000 });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const cluster = (status: string) =>
    twin.receiver.pages.filter(({ data }) => data.failureClass === "cluster_unreachable" && data.status === status);

  test("sweeps page with growing pauses, and queue nothing", async () => {
    const heardAt: number[] = [];
    let last = 0;
    for (const minute of SWEEPS) {
      await ageJournal(twin, "-", (minute - last) * MINUTE);
      last = minute;
      const told = cluster("open").length;
      expect(await bySchedule(twin)).toMatchObject({ kind: "failed", errorType: "RelightError" });
      await twin.queues.idle();
      if (await isPagedMore(told, PAGES.includes(minute))) heardAt.push(minute);
      expect(await countIn(twin, "jobs.fifo")).toEqual({ waiting: 0, hidden: 0 });
    }
    expect(heardAt).toEqual(PAGES);
  });

  /** Whether one more page arrives; if none is expected, the queue of pages is already empty. */
  async function isPagedMore(told: number, isMeant: boolean): Promise<boolean> {
    if (isMeant) await waitFor("the page", () => cluster("open").length > told);
    return cluster("open").length > told;
  }

  test("an earlier job waits in the queue, and is there when the cluster is", async () => {
    const [first, second] = [due[0] as World, due[1] as World];
    await sendJob(twin, first.accountId);
    await sendJob(twin, second.accountId);
    for (let tries = 1; tries <= 3; tries += 1) {
      await isDelivered(twin, first.accountId, deliveriesOf(twin, first.accountId).length);
      await twin.queues.idle();
      expect(await countIn(twin, "jobs.fifo")).toEqual({ waiting: 0, hidden: 2 });
      if (tries < 3) await passTime(twin);
      await retry("the next try", async () => {
        const over = deliveriesOf(twin, first.accountId).filter(({ failed }) => failed?.length === 1);
        if (tries < 3 && over.length <= tries) throw new Error(`${over.length} tries`);
      });
    }
    expect(await countIn(twin, "jobs-dead.fifo")).toEqual({ waiting: 0, hidden: 0 });
    // Nobody is paged about an account because the cluster is down.
    expect(twin.receiver.pages.filter(({ data }) => data["account"] !== "-")).toEqual([]);
  });

  test("once it is back every account is checked once, with no more at once than allowed", async () => {
    await world.server.start();
    await using watching = await watchConnections(world);
    const runs = twin.functions.runs.length;
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered" });
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered" });
    await passTime(twin);
    await twin.queues.idle({ timeout: 180_000 });
    expect(watching.most()).toBeGreaterThan(1);
    // Each run has one connection of the system user, and the sweep has one beside them.
    expect(watching.most()).toBeLessThanOrEqual(AT_ONCE + 1);
    expect(twin.functions.runs.length - runs).toBeLessThan(4 * (all().length + 2));
    for (const { accountId } of all()) {
      const entries = await twin.journal(accountId);
      const pushes = entries.filter(({ kind }) => kind === "push.started");
      // Expired accounts are revived by a toggle, which has its own pushes.
      expect(pushes.filter(({ data }) => data["purpose"] === "renewal")).toHaveLength(1);
      expect(entries.findLast(({ kind }) => kind === "job.finished")?.data).toMatchObject({
        verdict: "healthy",
      });
    }
    for (const [index, account] of expiring.entries()) {
      expect(await snapshot(account)).toEqual(before[index]);
      expect(await symptoms(account)).toMatchObject({ publish: "ok", fetch: "ok" });
    }
  });

  test("its incident is resolved once, and the next sweep has nothing to do", async () => {
    await waitFor("the end of the incident", () => cluster("resolved").length > 0);
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered", answer: { queued: 0 } });
    await twin.queues.idle();
    expect(cluster("resolved")).toHaveLength(1);
    expect(cluster("open")).toHaveLength(PAGES.length);
    for (const queue of ["jobs.fifo", "jobs-dead.fifo", "pages", "pages-dead"] as const)
      expect(await countIn(twin, queue)).toEqual({ waiting: 0, hidden: 0 });
  });
});

interface Watching extends AsyncDisposable {
  /** The maximum number of connections of the system account at once, without our own. */
  most(): number;
}

/** Polls the server for its connections. */
async function watchConnections({ connectAs, systemAccount }: World): Promise<Watching> {
  const connection = await connectAs("system");
  let most = 0;
  let isOver = false;
  const question = JSON.stringify({ acc: systemAccount.getPublicKey(), limit: 1_024 });
  const watching = (async () => {
    while (!isOver) {
      const reply = await connection
        .request("$SYS.REQ.SERVER.PING.CONNZ", question, { timeout: 2_000 })
        .catch(() => undefined);
      const { data } = reply?.json<{ data?: { num_connections: number } }>() ?? {};
      most = Math.max(most, (data?.num_connections ?? 1) - 1);
    }
  })();
  return {
    most: () => most,
    [Symbol.asyncDispose]: async () => {
      isOver = true;
      await watching;
      await connection.close();
    },
  };
}
