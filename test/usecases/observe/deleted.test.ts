import { describe, expect, test } from "@jest/globals";
import type { SourceAccount } from "../../../lib/domain/claims/claims-source.ts";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { changeLimits } from "../../../lib/usecases/orders/change-limits.ts";
import { rotate } from "../../../lib/usecases/orders/rotate-key.ts";
import { remediate } from "../../../lib/usecases/remediate/remediate.ts";
import { restartAll } from "../../support/virtual/scenes.ts";
import { APP, KEYS, START, virtualWorld } from "../../support/virtual/world.ts";

/** No trigger pushes a deleted account, however much time passes; a person with the command restores it. */

const DAY = 86_400;
const account = { ...APP, iat: toSeconds(START) - DAY, exp: toSeconds(START) + 80 * DAY };
const { id } = APP;

async function newWorld(policy = {}) {
  const world = virtualWorld({ servers: 3, accounts: [account], policy, hasSystemAccount: false });
  // It was seen while it was healthy.
  await world.work(jobOf({ action: "verify" }));
  return world;
}
type World = Awaited<ReturnType<typeof newWorld>>;

let jobs = 0;
const jobOf = (changes: Partial<Job>): Job => ({
  account: id,
  action: "remediate",
  trigger: "schedule",
  reason: "a test",
  id: `job-${jobs++}`,
  ...changes,
});
const renewedToken = (world: World): string => world.issue(APP);

/** What happens to an account, and how long until the next job. */
const DELETIONS: readonly (readonly [string, (world: World) => Promise<void>])[] = [
  ["was deleted a moment ago", async ({ machines }) => machines.deleteAccount(id)],
  [
    "was deleted, and the servers restarted since",
    async (world) => {
      world.machines.deleteAccount(id);
      restartAll(world);
    },
  ],
  [
    "was seen to be deleted, and its claims are over since",
    async (world) => {
      world.machines.deleteAccount(id);
      await world.work(jobOf({}));
      restartAll(world);
      world.advance(100 * DAY * 1000);
    },
  ],
  [
    "was lost with the disks, and its claims are over since",
    async (world) => {
      world.machines.deleteAccount(id);
      restartAll(world);
      await world.work(jobOf({}));
      world.advance(100 * DAY * 1000);
    },
  ],
  [
    "had expired, and watch heard that it is deleted",
    async (world) => {
      world.advance(81 * DAY * 1000);
      world.machines.deleteAccount(id);
      const data = { how: "ordered", iat: account.iat };
      await world.context.journal.append({
        at: world.now(),
        job: "w",
        account: id,
        kind: "account.deleted",
        data,
      });
    },
  ],
];

const TRIGGERS: readonly (readonly [string, (world: World) => Promise<unknown>])[] = [
  ["the schedule", ({ work }) => work(jobOf({}))],
  ["an event", ({ work }) => work(jobOf({ trigger: "event" }))],
  ["a person who heals it", ({ work }) => work(jobOf({ action: "heal", trigger: "manual" }))],
  ["a person who renews it", ({ work }) => work(jobOf({ action: "renew", trigger: "manual" }))],
  [
    "an issuer's push",
    (world) => world.work(jobOf({ action: "push", trigger: "webhook", token: renewedToken(world) })),
  ],
  [
    "a message that says it may",
    (world) => world.work(jobOf({ action: "push", trigger: "webhook", token: renewedToken(world), undelete: true })),
  ],
  ["a person's push", (world) => world.work(jobOf({ action: "push", trigger: "manual", token: renewedToken(world) }))],
  [
    "a change of its limits",
    ({ deps }) => changeLimits(deps(), { account: id, action: "enable", request: { storage: 1_000 }, force: true }),
  ],
  [
    "a rotation of the operator's key",
    ({ deps }) => {
      const holder = {
        account: id,
        name: "APP",
        streams: 0,
        critical: false,
        stored: false,
        runningOn: ["n1"],
      };
      const order = {
        from: "old",
        to: KEYS.operator.id,
        configured: [],
        wave: 1,
        includeSystem: false,
        onProgress: () => undefined,
      };
      return rotate(deps(), order, {
        waves: [[holder]],
        leftOut: [],
        problems: [],
        advice: [],
        unknown: [],
      });
    },
  ],
  [
    "a remedy that a dead job left open",
    async (world) => {
      const { text } = world.context.codec.decode(world.issue(APP)).document;
      const data = { jti: "J", claims: text, memory: [] };
      await world.context.journal.append({
        at: world.now(),
        job: "d",
        account: id,
        kind: "toggle.opened",
        data,
      });
      await world.work(jobOf({ trigger: "resume" }));
    },
  ],
  [
    "a source of truth that still has it, and whose policy is to push",
    async (world) => {
      const token = renewedToken(world);
      const { document, signatureValid } = world.context.codec.decode(token);
      const sourced: SourceAccount = {
        state: "found",
        claims: { document, signatureValid },
        token,
        place: "APP.jwt",
      };
      const claims = { name: "folder:jwts", accounts: async function* () {}, lookup: async () => sourced };
      await remediate(world.deps({ source: { claims, onDifference: "push" } }), jobOf({}));
    },
  ],
];

describe.each(DELETIONS)("an account that %s", (_fate, prepare) => {
  // Together: each look that finds something dead is repeated for a second.
  test("is pushed by no trigger", async () => {
    const pushed = await Promise.all(
      TRIGGERS.map(async ([trigger, pull]) => {
        const world = await newWorld();
        await prepare(world);
        const error: unknown = await pull(world).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        const isOther = error !== undefined && !(error instanceof RelightError && error.code === "account.deleted");
        return isOther ? [trigger, String(error)] : [trigger, world.machines.pushes.length];
      }),
    );
    expect(pushed).toEqual(TRIGGERS.map(([trigger]) => [trigger, 0]));
  });

  test("is reported once, although it is checked every day", async () => {
    const world = await newWorld({ manual: true });
    await prepare(world);
    for (let days = 0; days < 2; days++) {
      await world.work(jobOf({}));
      world.advance(DAY * 1000);
    }
    expect(world.machines.pushes).toEqual([]);
    const open = world.incidents.filter(({ status }) => status === "open");
    expect(open.map(({ failureClass }) => failureClass)).toEqual(["account_deleted"]);
    expect(open[0]?.advice.join("\n")).toContain("--undelete");
  });

  test("is restored by a person, and is then like any other account", async () => {
    const world = await newWorld();
    await prepare(world);
    await world.work(jobOf({}));
    const end = await world.work(jobOf({ action: "renew", trigger: "manual", undelete: true }));
    expect(end).toBe("renewed");
    expect(world.machines.pushes).toHaveLength(1);
    expect(world.incidents.at(-1)).toMatchObject({ failureClass: "account_deleted", status: "resolved" });
    world.advance(95 * DAY * 1000);
    restartAll(world);
    expect(await world.work(jobOf({}))).toBe("healed");
  });
});

test("an account that only expired, and that nobody has any more, is renewed", async () => {
  const world = await newWorld();
  world.advance(81 * DAY * 1000);
  restartAll(world);
  expect(await world.work(jobOf({}))).toBe("healed");
  expect(world.machines.pushes).toHaveLength(1);
});

test("somebody else's push of a new JWT restores a deleted account, which is reported", async () => {
  const world = await newWorld();
  world.machines.deleteAccount(id);
  await world.work(jobOf({}));
  world.advance(1_000);
  world.machines.force(renewedToken(world));
  expect(await world.work(jobOf({}))).toBe("healthy");
  expect(world.incidents.at(-1)).toMatchObject({
    failureClass: "account_deleted",
    status: "resolved",
    summary: "the account is back after 1 s",
  });
});

test("a deleted account is not due at every sweep, and due at once when it is back", async () => {
  const world = await newWorld();
  world.machines.deleteAccount(id);
  await world.work(jobOf({}));
  world.advance(10 * 60_000);
  await world.sweep();
  expect(world.queue.splice(0)).toEqual([]);
  world.machines.force(renewedToken(world));
  await world.sweep();
  expect(world.queue.splice(0)).toHaveLength(1);
});

describe("an account whose deletion servers refused, as with allow_delete: false", () => {
  /** What watch writes when the operator orders it. */
  async function ordered(): Promise<World> {
    const world = await newWorld();
    const data = { how: "ordered", iat: account.iat };
    await world.context.journal.append({ at: world.now(), job: "w", account: id, kind: "account.deleted", data });
    world.advance(1_000);
    return world;
  }
  const findings = async (world: World) => {
    const { verdict } = await world.run("verify");
    return verdict.findings.map(({ code }) => code);
  };

  test("is said and paged once, and goes on working", async () => {
    const world = await ordered();
    await world.work(jobOf({}));
    await world.work(jobOf({}));
    expect(await findings(world)).toEqual(["account.not_deleted"]);
    expect(world.incidents).toMatchObject([
      {
        status: "open",
        severity: "warning",
        summary: expect.stringContaining("but the resolver, n1, n2, n3 still have it"),
        impact: expect.stringContaining("still have access"),
        advice: [expect.stringContaining("relight renew APP --undelete")],
      },
    ]);
  });

  test("is renewed by policy, which is no decision against the deletion", async () => {
    const world = await ordered();
    world.advance(75 * DAY * 1000);
    await world.work(jobOf({}));
    expect(world.machines.pushes).toHaveLength(1);
    expect(await findings(world)).toEqual(["account.not_deleted"]);
  });

  test.each<[string, (world: World) => Promise<unknown>]>([
    ["a person keeps it", (world) => world.work(jobOf({ action: "renew", trigger: "manual", undelete: true }))],
    ["somebody pushes newer claims", async (world) => world.machines.force(renewedToken(world))],
  ])("is like any other account once %s", async (_how, act) => {
    const world = await ordered();
    await world.work(jobOf({}));
    await act(world);
    world.advance(5_000);
    expect(await findings(world)).toEqual([]);
    expect(world.incidents.at(-1)).toMatchObject({ status: "resolved" });
  });

  test("is deleted once servers obey", async () => {
    const world = await ordered();
    world.machines.deleteAccount(id);
    expect(await findings(world)).toEqual(["account.deleted"]);
  });
});

describe("an account that no answering server has, while another server is away", () => {
  async function away(): Promise<World> {
    const world = await newWorld();
    world.machines.forget(id);
    restartAll(world);
    world.machines.kill("n1");
    world.advance(60_000);
    return world;
  }

  test("is unknown and names that server, which may have it; nothing is remembered as a deletion", async () => {
    const world = await away();
    const { verdict } = await world.run("verify");
    expect(verdict.health).toBe("unknown");
    expect(verdict.findings[0]).toMatchObject({
      code: "account.not_found",
      message: expect.stringContaining("n1 does not answer, which may have it"),
    });
    expect(await world.context.journal.read({ account: id, kinds: ["account.deleted"] })).toEqual([]);
    world.machines.boot("n1");
    world.advance(60_000);
    expect((await world.run("verify")).verdict.findings).toMatchObject([{ code: "account.gone" }]);
  });

  test.each(TRIGGERS)("is not pushed by %s", async (_what, trigger) => {
    const world = await away();
    await trigger(world).catch((error: unknown) => expect(error).toBeInstanceOf(RelightError));
    expect(world.machines.pushes).toEqual([]);
  });
});
