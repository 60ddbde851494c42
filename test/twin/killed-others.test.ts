import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pMap from "p-map";
import { renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import type { Call } from "../../lab/twin/call.ts";
import type { When } from "../../lab/twin/faults.ts";
import type { Run } from "../../lab/twin/functions.ts";
import { deliveriesOf, redeliverPage, sendTo } from "../../lab/twin/messages.ts";
import { passTime } from "../../lab/twin/time.ts";
import { askApi, bySchedule, byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { pageOf } from "../support/aws-faults.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin, ROOM } from "../support/twin.ts";

/** `issuer-webhook`, `escalate`, `api` and `sweep` are killed midway; killed.test.ts does the same to `remediate`. */

const artefacts = packageForTwin();

/** Before or after so many AWS calls, with the expected call; a test checks the names. */
type Point = readonly [when: When, nth: number, call: string];

const WEBHOOK: readonly Point[] = [
  ["after", 1, "GetSecretValue"],
  ["after", 2, "PutItem lease#accepting"],
  ["after", 3, "PutItem lease#webhook"],
  ["after", 4, "PutItem lease#waiting"],
  ["after", 5, "SendMessage"],
  ["after", 6, "PutItem lease#webhook"],
  ["after", 7, "DeleteItem lease#accepting"],
];
const ESCALATE: readonly Point[] = [
  ["after", 1, "PutItem lease#page"],
  ["after", 2, "PutItem lease#told"],
  ["after", 3, "Query"],
  ["after", 4, "GetSecretValue"],
  // Sent, but not remembered.
  ["before", 5, "PutItem lease#told"],
  ["after", 5, "PutItem lease#told"],
  ["after", 6, "DeleteItem lease#page"],
];
const API: readonly Point[] = [
  ["after", 1, "Query"],
  ["after", 2, "PutItem request#"],
  ["after", 3, "SendMessage"],
];
/** By default each sweep checks healthy accounts, too. */
const SELDOM = "sweep: { verifyEvery: 1h }\n";
/** More accounts than SQS takes in one call. */
const MANY = 14;

describeTwin("the other functions, killed midway", () => {
  let world: World;
  let twin: Twin;
  let accounts: Readonly<Record<string, World>>;

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, jetstream: ROOM });
    const names = Array.from({ length: MANY }, (_, index) => `APP${index}`);
    const more = await pMap(names, (name) => retry(name, () => anotherAccount(world, name)), {
      concurrency: 1,
    });
    accounts = Object.fromEntries(names.map((name, index) => [name, more[index] as World]));
    twin = await startTwin({ world, artefacts, accounts: { APP: world, ...accounts }, yaml: SELDOM });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  /** Kills the function's next run at the point; returns whether it did, and at which call. */
  function killing(caller: string, [when, nth]: Point) {
    const seen: { call?: string } = {};
    const faults = twin.proxy.injectFaults((call) => {
      if (call.caller !== caller || call.nth !== nth || seen.call !== undefined) return undefined;
      seen.call = nameOf(call);
      const run = twin.functions.runs.find(({ request }) => request === call.request);
      return { kind: "run", when, work: () => end(run) };
    });
    return { seen, [Symbol.dispose]: () => faults[Symbol.dispose]() };
  }

  const messagesOf = (part: string): number =>
    new Set(deliveriesOf(twin, part).flatMap(({ messages: [message] }) => message?.MessageId ?? [])).size;

  describe("issuer-webhook: the sender's repetition succeeds, and the job is queued once", () => {
    test.each(WEBHOOK)(
      "%s call %i, %s",
      async (...point) => {
        const id = `msg_killed_${point[0]}_${point[1]}`;
        // Each has an account of its own: what SQS dropped as a repetition counts as waiting for a quarter of an hour.
        const { accountId } = accounts[`APP${point[1]}`] as World;
        const send = (): Promise<number> => byWebhook(twin, accountId, undefined, id);
        {
          using killed = killing("issuer-webhook", point);
          expect(await send()).toBe(500);
          expect(killed.seen.call).toContain(point[2]);
        }
        const isHeld = point[1] > 1 && point[1] < 7;
        const second = await send();
        if (isHeld) expect(second).toBe(503);
        // Two minutes later.
        await passTime(twin, accountId, `accepting/${id}`);
        const isRemembered = point[1] >= 6 || !isHeld;
        expect(await send()).toBe(isRemembered ? 200 : 202);
        expect(await send()).toBe(200);
        await twin.queues.idle();
        // SQS drops a repetition for five minutes; after that, and in moto once the first is deleted, the job comes
        // twice.
        const isQueuedTwice = point[2] === "SendMessage";
        expect(messagesOf(`webhook/${id}`)).toBeLessThanOrEqual(isQueuedTwice ? 2 : 1);
        expect(messagesOf(`webhook/${id}`)).toBeGreaterThan(0);
      },
      60_000,
    );
  });

  describe("escalate: the page is sent once, and twice only if it was killed right after sending", () => {
    test.each(ESCALATE)(
      "%s call %i, %s",
      async (...point) => {
        const key = `killed ${point[0]} ${point[1]}`;
        {
          using killed = killing("escalate", point);
          await sendTo(twin, "pages", pageOf(key));
          await waitFor("the run to be over", () => deliveriesOf(twin, key, "escalate")[0]?.failed !== undefined);
          expect(killed.seen.call).toContain(point[2]);
        }
        expect(await deliveriesOf(twin, key, "escalate")[0]?.run.end).toEqual({ kind: "killed" });
        for (const lease of ["page", "told"])
          if (point[1] < 5 || lease === "page" || point[0] === "before")
            await passTime(twin, "no message", `${lease}/${key}`);
        const deliveries = await redeliverPage(twin, key);
        expect(deliveries).toHaveLength(2);
        const told = twin.receiver.pages.filter(({ data }) => data.key === key);
        expect(told).toHaveLength(point[0] === "before" ? 2 : 1);
      },
      60_000,
    );
  });

  describe("api: an order is queued or refused; a repeated order does no harm", () => {
    test.each(API)(
      "%s call %i, %s",
      async (...point) => {
        const reason = `killed ${point[0]} ${point[1]}`;
        const body = JSON.stringify({ action: "verify", reason });
        const order = () => askApi(twin.http.url, `/accounts/${world.accountId}/jobs`, { method: "POST", body });
        {
          using killed = killing("api", point);
          expect((await order()).status).toBe(500);
          expect(killed.seen.call).toContain(point[2]);
        }
        expect((await order()).status).toBe(202);
        await twin.queues.idle();
        expect(messagesOf(reason)).toBe(point[2] === "SendMessage" ? 2 : 1);
      },
      60_000,
    );
  });

  test("sweep, killed halfway through queueing: the next one queues the rest, and nothing is done twice", async () => {
    await pMap(Object.values(accounts), (account) => retry("a renewal", () => renewByHand(account, 3_600)), {
      concurrency: 1,
    });
    // Other tests had messages for some of them.
    const count = () => Object.values(accounts).map(({ accountId }) => messagesOf(accountId));
    const before = count();
    const resume = twin.queues.pause();
    {
      let batches = 0;
      using _kill = twin.proxy.injectFaults((call) => {
        if (call.operation !== "SendMessageBatch") return undefined;
        batches += 1;
        if (batches !== 2) return undefined;
        const run = twin.functions.runs.find(({ request }) => request === call.request);
        return { kind: "run", when: "before", work: () => end(run) };
      });
      expect(await bySchedule(twin)).toEqual({ kind: "killed" });
    }
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered" });
    resume();
    await twin.queues.idle({ timeout: 150_000 });
    for (const [name, { accountId }] of Object.entries(accounts)) {
      const pushes = (await twin.journal(accountId)).filter(({ kind }) => kind === "push.started");
      expect([name, pushes.length]).toEqual([name, 1]);
    }
    const queued = count().map((messages, index) => messages - (before[index] ?? 0));
    expect(Math.max(...queued)).toBe(2);
    expect(Math.min(...queued)).toBe(1);
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered", answer: { queued: 0 } });
  });
});

/** Ends the run, and waits until it is gone: otherwise its requests would still be passed on. */
async function end(run: Run | undefined): Promise<void> {
  run?.kill();
  await run?.end;
}

/** The call, and the beginning of its key. */
function nameOf({ operation, input }: Call): string {
  const { Item, Key } = input as Record<"Item" | "Key", { pk?: { S: string } } | undefined>;
  const [, prefix = ""] = /^([a-z]+#[a-z]*)/.exec((Item ?? Key)?.pk?.S ?? "") ?? [];
  return `${operation} ${prefix}`.trim();
}
