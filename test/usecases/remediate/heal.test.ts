import { describe, expect, test } from "@jest/globals";
import { nameOfGroup } from "../../../lib/domain/ladder/step-down.ts";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { asRelightError, RelightError } from "../../../lib/errors.ts";
import { turns } from "../../../lib/usecases/context/turns.ts";
import type { Remediation } from "../../../lib/usecases/remediate/remediation.ts";
import { virtualAccount } from "../../support/virtual/claims.ts";
import { crashing } from "../../support/virtual/crashes.ts";
import {
  expire,
  type FillOptions,
  fill,
  leftBehind,
  renewByHand,
  restartWhileExpired,
  snapshot,
} from "../../support/virtual/scenes.ts";
import {
  APP,
  KEYS,
  NO_JETSTREAM,
  type VirtualWorld,
  virtualWorld,
  WITH_JETSTREAM,
  type WorldSettings,
} from "../../support/virtual/world.ts";

/** What heals an account, what does not, and who is paged. Nothing is lost on the way. */

interface Case {
  readonly servers?: WorldSettings["servers"];
  readonly version: string;
  readonly more?: WorldSettings;
  readonly has?: FillOptions;
  readonly prepare: (world: VirtualWorld) => void;
  /** The steps in order, each with its result. */
  readonly rungs: readonly string[];
}

const deaf = (world: VirtualWorld): void => {
  expire(world);
  renewByHand(world);
};
const steps = ({ rungs }: Pick<Remediation, "rungs">): readonly string[] =>
  rungs.map(({ rung, result }) => `${rung} ${result}`);

/** An account that was seen while it was healthy. */
async function newWorld({ servers = 3, version, more = {}, has = { replicas: 3 } }: Omit<Case, "prepare" | "rungs">) {
  const world = virtualWorld({ servers, version, ...more });
  fill(world, has);
  expect(await world.run()).toMatchObject({ outcome: "healthy", rungs: [] });
  return world;
}

const HEALED: readonly (readonly [string, Case])[] = [
  [
    "deaf streams and consumers of three replicas: their leaders step down",
    { version: "2.10.27", prepare: deaf, rungs: ["step-down-leaders helped"] },
  ],
  [
    "deaf streams and consumers of one: they get two more for a while",
    { version: "2.10.27", has: { replicas: 1 }, prepare: deaf, rungs: ["scale-up helped"] },
  ],
  [
    "deaf memory streams in a cluster, without a loss",
    {
      version: "2.9.10",
      has: { replicas: 3, memory: true },
      prepare: deaf,
      rungs: ["step-down-leaders helped", "scale-up helped"],
    },
  ],
  [
    "a bucket whose gets fail: direct gets are turned off and on",
    {
      version: "2.10.27",
      has: { replicas: 3, bucket: true },
      prepare: deaf,
      rungs: ["step-down-leaders helped", "toggle-direct-gets helped"],
    },
  ],
  [
    "deaf streams of a server that stands alone: JetStream is taken and given back",
    { servers: 1, version: "2.10.27", has: {}, prepare: deaf, rungs: ["toggle-jetstream helped"] },
  ],
  [
    "what restarted while the account was expired, where a touch is proved",
    { version: "2.15.1", prepare: restartWhileExpired, rungs: ["touch-metadata helped"] },
  ],
  [
    "the same of one replica, which gets replicas for a while",
    {
      version: "2.15.1",
      has: { replicas: 1 },
      prepare: restartWhileExpired,
      rungs: ["touch-metadata helped"],
    },
  ],
  [
    "the same where a touch ends the servers: each is restarted again",
    {
      version: "2.10.27",
      more: { canRestart: true },
      prepare: restartWhileExpired,
      rungs: ["restart-servers helped"],
    },
  ],
  [
    "a bucket on 2.9.10, which turns direct gets on for one replica only: its servers are restarted",
    {
      version: "2.9.10",
      has: { replicas: 3, bucket: true },
      more: { canRestart: true },
      prepare: deaf,
      rungs: ["step-down-leaders helped", "restart-servers helped"],
    },
  ],
  [
    "consumers that a cluster of 2.9.10 forgot, before anything else",
    {
      version: "2.9.10",
      has: { replicas: 1 },
      more: { canRestart: true },
      prepare: restartWhileExpired,
      rungs: ["restore-consumers helped", "restart-servers helped"],
    },
  ],
  ["an expired account: it is renewed", { version: "2.15.1", prepare: expire, rungs: ["renew helped"] }],
  [
    "an expired account that goes deaf: it is renewed first",
    { version: "2.10.27", prepare: expire, rungs: ["renew helped", "step-down-leaders helped"] },
  ],
  [
    "an account that the resolver has lost",
    {
      version: "2.15.1",
      prepare: ({ machines }) => {
        machines.deleteAccount(APP.id);
        machines.force(machines.server("n1").accounts.get(APP.id)?.jwt.token ?? "");
        machines.forget(APP.id);
      },
      rungs: ["push-again helped"],
    },
  ],
  [
    "a server that runs older claims than the others",
    {
      version: "2.15.1",
      prepare: (world) => {
        const { machines } = world;
        const newer = world.context.codec.decode(world.issue(APP, { iat: toSeconds(world.now()) + 1 }));
        machines.store(newer);
        for (const name of ["n1", "n2"]) machines.load(machines.server(name), newer);
        world.advance(2_000);
      },
      rungs: ["push-again helped"],
    },
  ],
  [
    "a resolver that holds what nobody trusts",
    {
      version: "2.15.1",
      prepare: (world) =>
        world.machines.store(world.context.codec.decode(world.issue(APP, {}, { ...APP.key, id: APP.key.id }))),
      rungs: ["push-again helped"],
    },
  ],
];

describe("is healed", () => {
  test.each(HEALED)("%s", async (_what, { prepare, rungs, ...setting }) => {
    const world = await newWorld(setting);
    const before = snapshot(world);
    prepare(world);
    const done = await world.run("heal");
    expect({ outcome: done.outcome, findings: done.verdict.findings, rungs: steps(done) }).toEqual({
      outcome: "healed",
      findings: [],
      rungs,
    });
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world)).toEqual([]);
    expect(world.incidents.filter(({ status }) => status === "open")).toEqual([]);
    expect(await world.run("heal")).toMatchObject({ outcome: "healthy", rungs: [] });
  });
});

describe("a rung", () => {
  test("gets the time that its effect takes, before another one is tried", async () => {
    const world = virtualWorld({ servers: 3, accounts: [{ ...APP, limits: NO_JETSTREAM }] });
    const { machines, faults } = world;
    faults.withoutJetStream.add("n2");
    machines.force(world.issue(APP));
    world.advance(2_000);
    faults.withoutJetStream.clear();
    machines.timing.jetstream = 4_000;
    expect(steps(await world.run("heal"))).toEqual(["push-again helped"]);
  });

  test("is not tried where a server has no room to enable JetStream: the finding names who has it", async () => {
    const limits = { ...WITH_JETSTREAM, mem_storage: 0, disk_storage: 80 * 2 ** 20 };
    const next = { ...virtualAccount("NEXT"), limits };
    const world = virtualWorld({
      servers: [{ name: "n1", room: 100 * 2 ** 20 }],
      accounts: [{ ...APP, limits: NO_JETSTREAM }, next],
    });
    world.faults.withoutJetStream.add("n1");
    world.machines.force(world.issue(APP, { limits }));
    world.advance(2_000);
    const done = await world.run("heal");
    expect(steps(done)).toEqual([]);
    expect(done.verdict.findings[0]).toMatchObject({
      code: "jetstream.not_enabled",
      message: expect.stringMatching(/80 MiB of disk can't be reserved.*promise 80 MiB \(80 MiB to NEXT\)/),
    });
  });

  test("is not followed by another for a mirror that reconnects by itself", async () => {
    const world = await newWorld({ version: "2.10.27" });
    world.machines.addStream(APP.id, { name: "COPY", mirror: { name: "ORDERS" } });
    world.advance(60_000);
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy" } });
    deaf(world);
    const done = await world.run("heal");
    expect({ steps: steps(done), verdict: done.verdict.health }).toEqual({
      steps: ["step-down-leaders helped"],
      verdict: "healthy",
    });
  });

  test("asks leaders again if the first request was lost", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    const asked = new Map<string, number>();
    world.faults.isLost = (group) => {
      const name = nameOfGroup(group);
      asked.set(name, (asked.get(name) ?? 0) + 1);
      return asked.get(name) === 1;
    };
    expect(steps(await world.run("heal"))).toEqual(["step-down-leaders helped"]);
    expect(new Set(asked.values())).toEqual(new Set([2]));
  });

  test("leaves alone the leader of a consumer that recovered in between", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    const asked: string[] = [];
    world.faults.isLost = (group) => {
      asked.push(nameOfGroup(group));
      world.machines.streamsOf(APP.id).get("ORDERS")?.consumers.get("shipping")?.group.deaf.clear();
      return false;
    };
    expect(steps(await world.run("heal"))).toEqual(["step-down-leaders helped"]);
    expect(asked.sort()).toEqual(["JOBS", "ORDERS", "ORDERS > audit"]);
  });

  test("that the guard refuses has no effect to wait for", async () => {
    const world = await newWorld({ version: "2.10.27", more: { canRestart: true } });
    restartWhileExpired(world, ["n1", "n2"]);
    world.machines.force(world.issue(KEYS.system, { limits: WITH_JETSTREAM }));
    world.advance(60_000);
    const began = world.now();
    expect(await world.run("heal")).toMatchObject({
      rungs: [{ rung: "restart-servers", result: "failed" }, {}],
    });
    expect(world.now() - began).toBeLessThan(world.context.timing.settles["restart-servers"]);
  });

  test("of renewal is tried once: an account that stays expired is left to a person", async () => {
    const world = await newWorld({ version: "2.10.27", has: { replicas: 1 } });
    deaf(world);
    world.machines.force(world.issue(APP, { exp: toSeconds(world.now()) + 6 }));
    for (const { name } of world.machines.servers) world.faults.push.refused.set(name, "the disk is full");
    const done = await world.run("heal");
    expect(steps(done)).toEqual(["scale-up failed", "renew failed"]);
    expect(done).toMatchObject({ outcome: "escalated", why: expect.stringMatching(/must be renewed first/) });
  });
});

interface Failing extends Omit<Case, "rungs"> {
  readonly outcome: Remediation["outcome"];
  readonly rungs: readonly string[];
  readonly why: RegExp;
}

const LEFT: readonly (readonly [string, Failing])[] = [
  [
    "where the account's key is not configured",
    {
      version: "2.10.27",
      more: { hasAccountKeys: false },
      prepare: deaf,
      outcome: "refused",
      rungs: ["step-down-leaders refused", "toggle-jetstream refused", "restart-servers refused"],
      why: /signingKey is not configured/,
    },
  ],
  [
    "where the key's user may not do what a rung needs",
    {
      version: "2.10.27",
      has: { replicas: 1 },
      prepare: (world) => {
        deaf(world);
        world.faults.denied.add("$JS.API.UPDATE.STREAM.ORDERS");
      },
      outcome: "refused",
      rungs: ["scale-up refused", "toggle-jetstream refused", "restart-servers refused"],
      why: /a user signed with the account's signingKey may not request \$JS\.API\.UPDATE\.STREAM\.ORDERS/,
    },
  ],
  [
    "where leaders don't step down: each rung is tried once",
    {
      version: "2.10.27",
      prepare: (world) => {
        deaf(world);
        world.faults.isLost = () => true;
      },
      outcome: "escalated",
      rungs: ["step-down-leaders no_effect", "toggle-jetstream refused", "restart-servers refused"],
      why: /toggle-jetstream is refused/,
    },
  ],
  [
    "where a server refuses what a rung asks: nothing stays changed",
    {
      version: "2.10.27",
      has: { replicas: 1 },
      prepare: (world) => {
        deaf(world);
        world.faults.refusal = ({ config }) => (config["num_replicas"] === 3 ? "no suitable peers" : undefined);
      },
      outcome: "escalated",
      rungs: ["scale-up failed", "toggle-jetstream refused", "restart-servers refused"],
      why: /toggle-jetstream is refused/,
    },
  ],
  [
    "where a toggle would lose what is in memory, and the policy does not allow it",
    {
      servers: 1,
      version: "2.10.27",
      has: { memory: true },
      prepare: deaf,
      outcome: "refused",
      rungs: ["toggle-jetstream refused", "restart-servers refused"],
      why: /it would lose what exists only in memory: stream CACHE; allow this with allowMemoryLoss/,
    },
  ],
  [
    "where a restart would lose what is in memory, and the policy does not allow it",
    {
      version: "2.10.27",
      has: { replicas: 3, memory: true },
      more: { canRestart: true },
      prepare: (world) => {
        restartWhileExpired(world, ["n1", "n2"]);
        // Created since, on a server that is to be restarted.
        world.machines.addStream(APP.id, { name: "LATER", subjects: ["l"], storage: "memory" }).publish(1);
        world.advance(60_000);
      },
      outcome: "refused",
      rungs: ["touch-metadata refused", "restart-servers refused"],
      why: /it would lose what exists only in the memory of one server: stream LATER; allow this with allowMemoryLoss/,
    },
  ],
  [
    "where there is no way to restart servers",
    {
      version: "2.10.27",
      prepare: restartWhileExpired,
      outcome: "refused",
      rungs: ["touch-metadata refused", "toggle-jetstream refused", "restart-servers refused"],
      why: /no way to restart servers is configured/,
    },
  ],
  [
    "where the restart fails, and nobody knows whether it began",
    {
      version: "2.10.27",
      more: { canRestart: true },
      prepare: (world) => {
        restartWhileExpired(world);
        world.faults.restart = "failed";
      },
      outcome: "escalated",
      rungs: ["restart-servers failed", "touch-metadata refused", "toggle-jetstream refused"],
      why: /no rung is left|is refused/,
    },
  ],
  [
    "where it is renewed by hand",
    {
      version: "2.15.1",
      more: { policy: { manual: true } },
      prepare: expire,
      outcome: "escalated",
      rungs: [],
      why: /the policy says that it is renewed by hand/,
    },
  ],
  [
    "where a critical account's claims were changed by nobody that Relight knows",
    {
      version: "2.15.1",
      more: { policy: { critical: true } },
      prepare: (world) => {
        const limits = { conn: -1, subs: -1, mem_storage: 1_000_000, disk_storage: -1 };
        world.machines.force(world.issue(APP, { limits, exp: toSeconds(world.now()) + 2 }));
        world.advance(3_000);
      },
      outcome: "escalated",
      rungs: [],
      why: /its claims are not the same everywhere: its claims differ from the journal's in nats\.limits/,
    },
  ],
  [
    "where somebody deleted it",
    {
      version: "2.15.1",
      prepare: ({ machines }) => machines.deleteAccount(APP.id),
      outcome: "escalated",
      rungs: [],
      why: /only a person may push the account again/,
    },
  ],
];

describe("is left to a person", () => {
  test.each(LEFT)("%s", async (_what, { prepare, outcome, rungs, why, ...setting }) => {
    const world = await newWorld(setting);
    prepare(world);
    const before = snapshot(world);
    const done = await world.run("heal");
    expect({ outcome: done.outcome, rungs: steps(done), why: done.why }).toEqual({
      outcome,
      rungs,
      why: expect.stringMatching(why),
    });
    expect(done.verdict.health).not.toBe("healthy");
    expect(world.incidents.at(-1)).toMatchObject({ status: "open", account: APP.id });
    expect(snapshot(world)).toEqual(before);
    expect(leftBehind(world).filter((left) => left !== "an open restart")).toEqual([]);
  });

  test("which learns the state, what was refused, and later that it is over", async () => {
    const world = await newWorld({ version: "2.10.27", more: { hasAccountKeys: false } });
    deaf(world);
    await world.run("heal");
    const [page] = world.incidents;
    expect(page).toMatchObject({ failureClass: "jetstream_dead", severity: "critical", status: "open" });
    const refused = { rung: "step-down-leaders", result: "refused" };
    const why = expect.stringMatching(/only the account itself may request it/);
    expect(page?.evidence["rungs"]).toEqual(expect.arrayContaining([expect.objectContaining({ ...refused, why })]));
    expect(page?.impact).toMatch(/^Publishers to .*ORDERS get 503 no responders\. Consumers get nothing/);
    expect(page?.command).toBe("relight heal APP");
    expect(page?.advice.join("\n")).toMatch(/Do not restart any server while an account with streams is expired/);
    for (const stream of world.machines.streamsOf(APP.id).values()) for (const group of stream.groups) group.stepDown();
    world.advance(10_000);
    await world.run("verify");
    expect(world.incidents.map(({ status }) => status)).toEqual(["open", "resolved"]);
  });
});

describe("what a mode forbids is reported", () => {
  test.each<[NonNullable<WorldSettings["mode"]>, string, (world: VirtualWorld) => void, RegExp[]]>([
    ["look", "a deaf account", deaf, [/^step-down-leaders \(/]],
    ["look", "an expired account", expire, [/^renew \(/, /^step-down-leaders, if it is still dead .* \(risk: /]],
    ["renew", "a deaf account", deaf, [/^step-down-leaders \(/]],
  ])("mode %s: %s", async (mode, _what, prepare, would) => {
    const world = virtualWorld({ servers: 3, version: "2.10.27", mode });
    fill(world, { replicas: 3 });
    await world.run("verify");
    prepare(world);
    const before = snapshot(world);
    const done = await world.run("heal");
    expect(done).toMatchObject({
      outcome: "looked",
      rungs: [],
      would: would.map((step) => expect.stringMatching(step)),
    });
    expect(snapshot(world)).toEqual(before);
    expect(world.machines.pushes).toEqual([]);
    expect(world.incidents).toHaveLength(1);
    expect(leftBehind(world)).toEqual([]);
  });

  test("mode renew: an expired account is renewed, and nothing more is done", async () => {
    const world = virtualWorld({ servers: 3, version: "2.10.27", mode: "renew" });
    fill(world, { replicas: 3 });
    await world.run("verify");
    expire(world);
    const done = await world.run("heal");
    expect(done).toMatchObject({ outcome: "looked", rungs: [{ rung: "renew", result: "helped" }] });
    expect(world.machines.pushes).toHaveLength(1);
  });
});

describe("losses after a rung", () => {
  /** A consumer disappears during a remedy. */
  function losingAsset(world: VirtualWorld, how: (name: string) => void): void {
    let isGone = false;
    world.faults.isLost = () => {
      if (!isGone) how("shipping");
      isGone = true;
      return false;
    };
  }
  const drop = (world: VirtualWorld) => (name: string) =>
    void world.machines.streamsOf(APP.id).get("ORDERS")?.consumers.delete(name);

  test("page a person, and stay a finding until somebody acknowledges them", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    losingAsset(world, drop(world));
    const done = await world.run("heal");
    expect(done).toMatchObject({ outcome: "escalated", losses: ["consumer ORDERS > shipping is gone"] });
    expect(world.incidents).toMatchObject([
      {
        failureClass: "assets_lost",
        severity: "critical",
        summary: expect.stringMatching(/something is missing/),
      },
    ]);
    expect(await world.run("heal")).toMatchObject({
      verdict: { health: "dead", findings: [{ code: "asset.lost" }] },
    });
    world.machines.streamsOf(APP.id).get("ORDERS")?.addConsumer({ durable_name: "shipping" });
    world.advance(60_000);
    expect(await world.run("verify")).toMatchObject({ verdict: { health: "healthy" } });
    const closed = world.journal.entries.filter(({ kind }) => kind === "loss.acknowledged");
    expect(closed).toMatchObject([{ data: { by: "relight", reason: "it is back" } }]);
  });

  test("are none if the account's own user deleted it", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    losingAsset(world, (consumer) => world.machines.deleteAsset(APP.id, { stream: "ORDERS", consumer }));
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    expect(world.journal.entries.filter(({ kind }) => kind === "loss.found")).toEqual([]);
  });

  test("are journaled once, whatever rungs follow", async () => {
    const world = await newWorld({ version: "2.10.27", has: { replicas: 3, bucket: true } });
    deaf(world);
    losingAsset(world, drop(world));
    const done = await world.run("heal");
    expect(done.rungs.length).toBeGreaterThan(1);
    expect(done.losses).toEqual(["consumer ORDERS > shipping is gone"]);
    expect(world.journal.entries.filter(({ kind }) => kind === "loss.found")).toHaveLength(1);
  });

  test("are none if a stream is reported again a moment later", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    const streams = world.machines.streamsOf(APP.id);
    const jobs = streams.get("JOBS");
    world.faults.isLost = ({ stream }) => {
      if (stream === "JOBS" && streams.delete("JOBS") && jobs !== undefined)
        world.machines.timeline.after(8_000, () => void streams.set("JOBS", jobs));
      return false;
    };
    for (const group of jobs?.groups ?? []) world.machines.timeline.after(3_000, () => group.deaf.clear());
    const done = await world.run("heal");
    expect(done.losses).toBeUndefined();
    expect(world.journal.entries.filter(({ kind }) => kind === "loss.found")).toEqual([]);
  });

  test("are none while the server that holds it is away", async () => {
    const servers = ["n1", "n2", "n3"].map((name) => ({ name, tags: [name] }));
    const world = virtualWorld({ servers, version: "2.10.27" });
    fill(world, { replicas: 3 });
    world.machines.addStream(APP.id, { name: "ALONE", subjects: ["a"], placement: { tags: ["n3"] } }).publish(1);
    world.advance(60_000);
    await world.run();
    deaf(world);
    for (let last = 1; !world.journal.entries.some(({ kind }) => kind === "rung.started"); last++) {
      world.advance(60_000);
      const dying = crashing(world.newContext(), last);
      await expect(world.run("heal", {}, dying.context)).rejects.toThrow();
    }
    world.machines.kill("n3");
    world.advance(120_000);
    const done = await world.run("heal").catch(asRelightError);
    expect(done).not.toHaveProperty("losses");
    expect(world.journal.entries.filter(({ kind }) => kind === "loss.found")).toEqual([]);
  });

  test("are none while JetStream is off, because no streams are reported then", async () => {
    const world = await newWorld({ servers: 1, version: "2.10.27", has: {} });
    deaf(world);
    const { resolver } = world.newContext();
    const push: typeof resolver.push = async (token) => {
      const replies = await resolver.push(token);
      world.faults.push.refused.set("n1", "the disk is full");
      return replies;
    };
    const done = await world.run("heal", {}, { resolver: { ...resolver, push } });
    expect(done).toMatchObject({
      outcome: "escalated",
      rungs: [{ rung: "toggle-jetstream", result: "failed" }],
    });
    expect({ losses: done.losses, streams: done.verdict.streams }).toEqual({ losses: undefined, streams: 0 });
    world.faults.push.refused.clear();
    expect(await world.run("heal")).toMatchObject({ verdict: { health: "healthy", streams: 2 } });
    expect(leftBehind(world)).toEqual([]);
  });

  test("include memory assets that a restart before this job lost", async () => {
    const world = await newWorld({ version: "2.10.27", has: { replicas: 3, memory: true } });
    deaf(world);
    world.machines.streamsOf(APP.id).get("CACHE")?.consumers.delete("reader");
    expect(await world.run("heal")).toMatchObject({
      outcome: "escalated",
      losses: ["consumer CACHE > reader, which was in memory, is gone"],
    });
  });

  test("are reported without a page if the policy allowed them", async () => {
    const world = await newWorld({
      servers: 1,
      version: "2.10.27",
      has: { memory: true },
      more: { allowMemoryLoss: true },
    });
    deaf(world);
    expect(await world.run("heal")).toMatchObject({
      outcome: "healed",
      mode: { mode: "heal-with-loss" },
      losses: ["memory stream CACHE lost its 1 message"],
    });
    expect(world.incidents).toEqual([]);
    const cache = world.machines.streamsOf(APP.id).get("CACHE");
    expect({ next: cache?.lastSeq, consumers: [...(cache?.consumers.keys() ?? [])] }).toEqual({
      next: 1,
      consumers: ["reader"],
    });
  });
});

describe("a job that can't continue", () => {
  test("stops between two rungs on request, and the next one continues", async () => {
    const world = await newWorld({ version: "2.10.27", has: { replicas: 3, bucket: true } });
    deaf(world);
    const asked = new AbortController();
    world.faults.isLost = () => {
      asked.abort();
      return false;
    };
    await expect(world.run("heal", {}, { signal: asked.signal })).rejects.toMatchObject({
      code: "interrupted",
    });
    expect(world.journal.entries.at(-1)?.kind).not.toBe("job.finished");
    expect(world.incidents).toEqual([]);
    expect(await world.run("heal")).toMatchObject({ outcome: "healed", verdict: { health: "healthy" } });
    expect(leftBehind(world)).toEqual([]);
  });

  describe("after it renewed an expired account", () => {
    /** The second push turns JetStream off, so the toggle is under way. */
    async function stopped(during: "renewal" | "toggle", error?: RelightError) {
      const world = virtualWorld({ version: "2.10.27" });
      fill(world);
      expire(world);
      const asked = new AbortController();
      const { resolver } = world.newContext();
      let pushes = 0;
      const push: typeof resolver.push = async (token) => {
        pushes++;
        if (pushes < (during === "toggle" ? 2 : 1)) return resolver.push(token);
        asked.abort();
        if (error !== undefined && during === "toggle") throw error;
        const answers = await resolver.push(token);
        if (error !== undefined) throw error;
        return answers;
      };
      const changes = { signal: asked.signal, resolver: { ...resolver, push } };
      const code = await world.run("remediate", {}, changes).then(
        ({ outcome }) => outcome,
        (thrown: RelightError) => thrown.code,
      );
      return { world, code };
    }
    const lost = new RelightError("nats.connection_lost", "lost");

    test.each<[string, "renewal" | "toggle", RelightError | undefined, string]>([
      ["it is told to stop in the next rung", "toggle", undefined, "interrupted"],
      ["it is told to stop in the renewal", "renewal", undefined, "interrupted"],
      ["the next rung loses the connection", "toggle", lost, "nats.connection_lost"],
    ])("%s: no page says that it is expired", async (_when, during, error, code) => {
      const { world, ...end } = await stopped(during, error);
      expect(end.code).toBe(code);
      expect(world.incidents).toEqual([]);
      expect(world.journal.entries.filter(({ kind }) => kind === "incident.opened")).toEqual([]);
      world.advance(60_000);
      expect(await world.run()).toMatchObject({ verdict: { health: "healthy" } });
      expect(world.incidents).toEqual([]);
    });

    test("the renewal loses the connection before it is proved: a person hears of it", async () => {
      const { world, code } = await stopped("renewal", lost);
      expect(code).toBe("nats.connection_lost");
      expect(world.incidents).toMatchObject([{ failureClass: "account_expired" }]);
    });
  });

  test("stops before a rung that could not stop itself", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    world.machines.forget(APP.id);
    const asked = new AbortController();
    const { resolver } = world.newContext();
    const push: typeof resolver.push = (token) => {
      asked.abort();
      return resolver.push(token);
    };
    const changes = { signal: asked.signal, resolver: { ...resolver, push } };
    await expect(world.run("heal", {}, changes)).rejects.toMatchObject({ code: "interrupted" });
    const begun = world.journal.entries.filter(({ kind }) => kind === "rung.started");
    expect(begun.map(({ data }) => data["rung"])).toEqual(["push-again"]);
  });

  test("leaves a rung open if its answer is lost, and the next job reports its result", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    const { assets } = world.newContext();
    const lost = new RelightError("nats.connection_lost", "lost");
    const stepDown: typeof assets.stepDown = async (...asked) => {
      await assets.stepDown(...asked);
      throw lost;
    };
    await expect(world.run("heal", {}, { assets: { ...assets, stepDown } })).rejects.toBe(lost);
    world.advance(60_000);
    const done = await world.run("heal");
    expect(done.outcome).toBe("healed");
    expect(done.rungs[0]).toMatchObject({ rung: "step-down-leaders", begunBy: expect.any(String) });
    expect(leftBehind(world)).toEqual([]);
  });

  test("does nothing on a guess: what does not answer is unknown", async () => {
    const world = await newWorld({ version: "2.10.27" });
    deaf(world);
    const { probes } = world.newContext();
    const observe: typeof probes.observe = async (...asked) => ({
      ...(await probes.observe(...asked)),
      streams: { ok: false, code: "nats.timeout", message: "no answer" },
    });
    const done = await world.run("heal", {}, { probes: { ...probes, observe } });
    expect(done).toMatchObject({ outcome: "unhealed", rungs: [], verdict: { health: "unknown" } });
    expect(done.page).toEqual({ delivery: "waiting" });
    expect(done.why).toMatch(/health is unknown, so no remedy is applied/);
    // It may pass: nobody is paged until it has lasted.
    expect(world.incidents).toEqual([]);
  });
});

test("only so many accounts are remedied at once; one that waited is checked again before its first rung", async () => {
  const OTHER = virtualAccount("OTHER");
  const world = virtualWorld({ servers: 3, version: "2.10.27", accounts: [APP, OTHER] });
  const both = [APP, OTHER];
  for (const account of both) fill(world, { replicas: 3 }, account);
  for (const account of both) expire(world, account);
  for (const account of both) renewByHand(world, account);
  const remedyTurns = turns(1);
  const heal = ({ id }: typeof APP) => world.run("remediate", { account: id }, { remedyTurns });
  const ends = await Promise.all(both.map(heal));
  expect(ends.map(({ outcome }) => outcome)).toEqual(["healed", "healed"]);
  const entries = await world.journal.read({ kinds: ["rung.started", "rung.finished", "verdict"] });
  const seen = entries.map(({ account, kind }) => `${account === APP.id ? "APP" : "OTHER"} ${kind}`);
  expect(seen.slice(0, 2).toSorted()).toEqual(["APP verdict", "OTHER verdict"]);
  const first = seen[2]?.split(" ")[0];
  const second = first === "APP" ? "OTHER" : "APP";
  expect(seen.slice(2)).toEqual([
    ...["rung.started", "verdict", "rung.finished"].map((kind) => `${first} ${kind}`),
    ...["verdict", "rung.started", "verdict", "rung.finished"].map((kind) => `${second} ${kind}`),
  ]);
  expect((await remedyTurns.take()).waited).toBe(false);
});
