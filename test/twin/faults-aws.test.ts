import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import pMap from "p-map";
import { renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { retry } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import {
  type Case,
  casesOf,
  delivered,
  type Ended,
  escalated,
  isResolvable,
  type Name,
  OPERATIONS,
  operationOf,
  ordered,
  PAGING,
  remediated,
  swept,
} from "../support/aws-faults.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin, ROOM } from "../support/twin.ts";

const artefacts = packageForTwin();

const NAMES = Object.keys(OPERATIONS) as Name[];
const titled = (name: Name) =>
  casesOf(name).map(({ operation, kind }, index) => [`${operation} ${kind}`, index] as const);

describeTwin("each operation of AWS, throttled, done with its answer lost, failing or late", () => {
  let world: World;
  let twin: Twin;
  const ends: Partial<Record<Name, readonly PromiseSettledResult<Ended>[]>> = {};

  /** Runs all cases of a function; the tests check the results. */
  async function all(name: Name, concurrency: number, run: (one: Case, index: number) => Promise<Ended>) {
    const settled = async (one: Case, index: number) => {
      const [end] = await Promise.allSettled([run(one, index)]);
      return end;
    };
    ends[name] = await pMap(casesOf(name), settled, { concurrency });
  }

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, jetstream: ROOM });
    const atOnce = { concurrency: 1 };
    const names = casesOf("remediate").map((_, index) => `DUE${index}`);
    const due = await pMap(names, (name) => retry(name, () => anotherAccount(world, name)), atOnce);
    const accounts = Object.fromEntries(names.map((name, index) => [name, due[index] as World]));
    twin = await startTwin({ world, artefacts, accounts: { APP: world, ...accounts } });
    await pMap(due, (account) => retry("a renewal", () => renewByHand(account, 3_600)), atOnce);
    const pushes = new Map<string, number>();
    await using _watching = await countPushes(world, pushes);
    const account = (index: number): World => due[index] as World;
    await Promise.all([
      all("remediate", 5, (one, index) => remediated(twin, one, account(index), pushes)),
      all("escalate", 2, (one) => escalated(twin, one)),
      all("issuer-webhook", 1, (one) => delivered(twin, one, world.accountId)),
      all("api", 1, (one) => ordered(twin, one, world.accountId)),
    ]);
    await twin.queues.idle({ timeout: 180_000 });
    await all("sweep", 1, (one, index) => swept(twin, one, account(index), pushes));
  }, 900_000);
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const endOf = (name: Name, index: number): Ended & Case => {
    const [one, end] = [casesOf(name)[index], ends[name]?.[index]];
    if (end?.status === "rejected") throw end.reason;
    if (one === undefined || end === undefined) throw new Error("the case did not run");
    expect(end.value.faults).toBeGreaterThan(0);
    return { ...one, ...end.value };
  };

  test.each(NAMES)("every call of %s was disturbed", (name) => {
    const called = twin.proxy.calls.filter(({ caller }) => caller === name).map(operationOf);
    const meant = [...OPERATIONS[name], ...(name === "sweep" ? PAGING : [])];
    expect([...new Set(called)].sort()).toEqual(meant.sort());
  });

  describe("remediate: the account is renewed once, and nobody is paged", () => {
    test.each(titled("remediate"))("%s", (_title, index) => {
      const { kind, operation, ...end } = endOf("remediate", index);
      // A lost announcement is no reason to repeat a job.
      const isAgain = kind === "failing" && operation !== "events:PutEvents";
      expect(end).toMatchObject({ done: 1, told: [isAgain ? 2 : 1, "renewed", 0] });
    });
  });

  describe("escalate: the page is sent once, although its message arrives twice", () => {
    test.each(titled("escalate"))("%s", (_title, index) => {
      const { kind, operation, ...end } = endOf("escalate", index);
      const isAgain = kind === "failing" && operation === "secretsmanager:GetSecretValue";
      // A page that can't be remembered is sent again: too often rather than not at all.
      const isForgotten = kind === "failing" && operation === "dynamodb:PutItem";
      expect(end).toMatchObject({ done: isForgotten ? 2 : 1, told: [isAgain ? 2 : 1] });
    });
  });

  describe("issuer-webhook: the delivery is queued once, and every answer is correct", () => {
    test.each(titled("issuer-webhook"))("%s", (_title, index) => {
      const { kind, operation, ...end } = endOf("issuer-webhook", index);
      const answers = kind === "failing" ? [503, 202] : [202, 200];
      const isStillHeld = kind === "failing" && operation === "dynamodb:DeleteItem";
      expect(end).toMatchObject({ done: 1, told: isStillHeld ? [202, 503] : answers });
    });
  });

  describe("api: the order is queued once, or refused", () => {
    test.each(titled("api"))("%s", (_title, index) => {
      const { kind, ...end } = endOf("api", index);
      expect(end).toMatchObject({ done: 1, told: kind === "failing" ? [503, 202] : [202] });
    });
  });

  describe("sweep: the account is renewed once; a failed sweep pages a person, the next one resolves it", () => {
    test.each(titled("sweep"))("%s", (_title, index) => {
      const { kind, operation, ...end } = endOf("sweep", index);
      const calls = isResolvable({ operation }) ? ["open", "resolved"] : ["open"];
      const told = kind === "failing" ? ["failed", "answered", ...calls] : ["answered", "answered"];
      expect(end).toMatchObject({ done: 1, told });
    });
  });
});

/** How often each account's claims were pushed, as the server saw it. */
async function countPushes(world: World, pushes: Map<string, number>): Promise<AsyncDisposable> {
  const system = await world.connectAs("system");
  system.subscribe("$SYS.REQ.CLAIMS.UPDATE", {
    callback: (_, message) => {
      const claims = Buffer.from(message.string().split(".")[1] ?? "", "base64url").toString();
      const { sub } = JSON.parse(claims) as { sub: string };
      pushes.set(sub, (pushes.get(sub) ?? 0) + 1);
    },
  });
  await system.flush();
  return { [Symbol.asyncDispose]: () => system.close() };
}
