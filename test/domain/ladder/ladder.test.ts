import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { afterRenewal } from "../../../lib/domain/ladder/after-renewal.ts";
import { type Attempt, attemptsOf, nextStep } from "../../../lib/domain/ladder/ladder.ts";
import { findLosses, findVanished, type Loss } from "../../../lib/domain/ladder/loss.ts";
import { memoryAssets } from "../../../lib/domain/ladder/memory.ts";
import type { RungId, Situation } from "../../../lib/domain/ladder/rung.ts";
import { LADDER } from "../../../lib/domain/ladder/rungs.ts";
import type { Observation, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import {
  claims,
  consumer,
  DEAF,
  FAILED,
  forgotten,
  OVER,
  observation,
  operator,
  runsExpired,
  server,
  stream,
} from "../observations.ts";

const deaf = (changes: Partial<StreamFacts> = {}): Observation["streams"] => ({
  ok: true,
  value: [stream({ ...DEAF, ...changes })],
});
const PEERS = [
  { name: "s2", current: true },
  { name: "s3", current: true },
];
const CLUSTER = ["s1", "s2", "s3"].map((name) => server({ name, id: name, topology: "clustered" }));
const FORGETFUL = CLUSTER.map((one) => ({ ...one, version: "2.9.14" }));

function situation(seen: Partial<Observation>, changes: Partial<Situation> = {}): Situation {
  const look = observation(seen);
  const verdict = assess(look, { operator, unfinishedToggle: false, unfinishedChanges: [] });
  return {
    observation: look,
    verdict,
    claims: claims(),
    canSign: true,
    hasAccountKey: true,
    allowMemoryLoss: false,
    canRestart: false,
    memorySeen: [],
    ...changes,
  };
}

describe("what is likely to follow the renewal of an expired account", () => {
  const expired = (seen: Partial<Observation> = {}, changes: Partial<Situation> = {}): Situation =>
    situation(
      {
        stored: { ok: true, value: { document: claims(OVER), signatureValid: true } },
        running: runsExpired(),
        streams: { ok: true, value: [stream({ consumers: [consumer()] })] },
        accountView: { ok: "not-asked", why: "the account has expired" },
        ...seen,
      },
      changes,
    );
  const memory: Observation["streams"] = { ok: true, value: [stream({ storage: "memory" })] };
  const replicated: Observation["streams"] = { ok: true, value: [stream({ replicas: 3, peers: PEERS })] };

  test.each<[string, Situation, readonly RungId[], readonly RungId[]]>([
    ["a standalone server that leaves it deaf", expired(), ["toggle-jetstream"], []],
    ["one that can be restarted, too", expired({}, { canRestart: true }), ["toggle-jetstream", "restart-servers"], []],
    [
      "streams in memory that may not be lost",
      expired({ streams: memory }),
      [],
      ["toggle-jetstream", "restart-servers"],
    ],
    [
      "streams in memory that may be lost",
      expired({ streams: memory }, { allowMemoryLoss: true }),
      ["toggle-jetstream"],
      [],
    ],
    ["a cluster", expired({ servers: CLUSTER, streams: replicated }), ["step-down-leaders"], []],
  ])("%s", (_what, seen, rungs, refused) => {
    const sequel = afterRenewal(seen);
    expect(sequel?.rungs.map(({ id }) => id)).toEqual(rungs);
    expect(sequel?.refused.map(({ rung }) => rung)).toEqual(refused);
    expect(sequel?.why).toMatch(/^on nats-server 2\.10\.27, .*#6806/);
  });

  test.each<[string, Situation]>([
    ["on servers without the defect", expired({ servers: [server({ version: "2.15.1" })] })],
    ["without streams", expired({ streams: { ok: true, value: [] } })],
    ["without an answer about streams", expired({ streams: FAILED })],
    ["for an account that is valid", situation({ streams: deaf() })],
  ])("nothing %s", (_what, seen) => {
    expect(afterRenewal(seen)).toBeUndefined();
  });
});

const PROVED = CLUSTER.map((one) => ({ ...one, version: "2.15.1" }));
const DAMAGED = deaf({ replicas: 3, nodeMissingOn: ["s1", "s2"] });

const FAILING: Observation["accountView"] = {
  ok: true,
  value: {
    jetstream: "enabled",
    info: { streams: 1, consumers: 0, limits: {} },
    streamNames: [],
    domains: [],
    failing: [{ stream: "ORDERS", notFound: false, message: "timeout" }],
  },
};
const NONE: ReadonlySet<Attempt> = new Set();
/** As if these rungs had been tried for everything that they treat here. */
function asTried(here: Situation, ids: readonly RungId[]): ReadonlySet<Attempt> {
  return new Set(LADDER.filter(({ id }) => ids.includes(id)).flatMap((rung) => attemptsOf(rung, here)));
}

function stepOf(seen: Partial<Observation>, changes: Partial<Situation> = {}, tried: readonly RungId[] = []): string {
  const here = situation(seen, changes);
  const step = nextStep(here, asTried(here, tried));
  if (step.kind === "rung") return step.rung.id;
  return step.kind === "stop" ? `stop: ${step.why}` : step.kind;
}

describe("the next step", () => {
  test("is none for a healthy account", () => {
    expect(nextStep(situation({}), NONE)).toEqual({ kind: "done" });
  });

  test.each<[string, Partial<Observation>, Partial<Situation>, RegExp]>([
    [
      "an expired account is renewed first",
      {
        running: runsExpired(),
        stored: { ok: true, value: undefined },
        streams: deaf(),
      },
      {},
      /^renew$/,
    ],
    [
      "a deleted account is left to a person",
      {
        running: {
          ok: true,
          value: [
            {
              server: "s1",
              loaded: true,
              expired: true,
              jetstream: false,
              signatureValid: true,
              document: claims(),
            },
          ],
        },
        stored: { ok: true, value: undefined },
        streams: deaf(),
      },
      {},
      /^stop: somebody deleted it; s1 refuses its clients although its claims are valid.*only a person/,
    ],
    [
      "unknown health gets no remedy",
      { streams: FAILED },
      {},
      /^stop: the account's health is unknown, so no remedy is applied/,
    ],
    [
      "drift is fixed by a push",
      { stored: { ok: true, value: { document: claims({ jti: "J0" }), signatureValid: true } } },
      {},
      /^push-again$/,
    ],
    [
      "a forged JWT in the resolver is overwritten",
      { stored: { ok: true, value: { document: claims(), signatureValid: false } } },
      {},
      /^push-again$/,
    ],
    [
      "without a helpful rung it is left to a person",
      { streams: { ok: true, value: [] }, accountView: FAILING },
      {},
      /^stop: no remedy helps against these findings/,
    ],
    ["a lost JWT is pushed again", { stored: { ok: true, value: undefined } }, {}, /^push-again$/],
    [
      "JetStream that was not enabled is pushed again",
      {
        running: {
          ok: true,
          value: [
            {
              server: "s1",
              loaded: true,
              expired: false,
              signatureValid: true,
              jetstream: false,
              document: claims(),
            },
          ],
        },
      },
      {},
      /^push-again$/,
    ],
    ["a deaf stream on a single server is toggled", { streams: deaf() }, {}, /^toggle-jetstream$/],
    [
      "a deaf consumer alone, too",
      {
        streams: {
          ok: true,
          value: [stream({ consumers: [consumer({ heard: { ok: true, value: false } })] })],
        },
      },
      {},
      /^toggle-jetstream$/,
    ],
    ["a single replica in a cluster gets two more", { servers: CLUSTER, streams: deaf() }, {}, /^scale-up$/],
    [
      "assets without Raft nodes are touched, if that is proved safe",
      { servers: PROVED, streams: DAMAGED },
      {},
      /^touch-metadata$/,
    ],
    [
      "assets without Raft nodes are never touched otherwise, but their servers restart",
      { servers: CLUSTER, streams: DAMAGED },
      { canRestart: true },
      /^restart-servers$/,
    ],
    [
      "assets without Raft nodes are never scaled up",
      { servers: CLUSTER, streams: deaf({ nodeMissingOn: ["s1"] }) },
      {},
      /^stop: touch-metadata is refused: .*panic.*; toggle-jetstream is refused.*; restart-servers is refused/,
    ],
    [
      "a forgotten consumer of a single-replica stream is recreated first",
      { servers: FORGETFUL, streams: deaf({ forgotten: [forgotten()] }) },
      {},
      /^restore-consumers$/,
    ],
    [
      "a forgotten consumer is left to a person if it might start over",
      {
        servers: FORGETFUL,
        streams: { ok: true, value: [stream({ peers: PEERS, replicas: 3, forgotten: [forgotten()] })] },
      },
      {},
      /^stop: restore-consumers is refused: consumer ORDERS > worker: only s1 knows its position.*start over/,
    ],
    [
      "a forgotten consumer is left to a person if servers forget none",
      { servers: CLUSTER, streams: { ok: true, value: [stream({ forgotten: [forgotten()] })] } },
      {},
      /^stop: restore-consumers is refused: consumer ORDERS > worker: .*somebody may have deleted it/,
    ],
    [
      "a stream with a forgotten consumer is never moved, but its server restarts",
      { servers: CLUSTER, streams: deaf({ forgotten: [forgotten()] }) },
      { canRestart: true },
      /^restart-servers$/,
    ],
    [
      "nor is it touched",
      {
        servers: PROVED,
        streams: { ok: true, value: [stream({ nodeMissingOn: ["s1"], forgotten: [forgotten()] })] },
      },
      { canRestart: true },
      /^restart-servers$/,
    ],
    ["replicas step down", { servers: CLUSTER, streams: deaf({ peers: PEERS }) }, {}, /^step-down-leaders$/],
  ])("%s", (_what, seen, changes, expected) => {
    expect(stepOf(seen, changes)).toMatch(expected);
  });

  test.each<[string, Partial<Observation>, Partial<Situation>, RegExp]>([
    [
      "in a cluster",
      { servers: CLUSTER.slice(1), streams: deaf({ server: "s2" }) },
      {},
      /2 servers answered; in a cluster the toggle destroys/,
    ],
    [
      "with two servers that each say they stand alone",
      { servers: [server(), server({ name: "s2", id: "N2" })], streams: deaf() },
      {},
      /2 servers answered; in a cluster the toggle destroys/,
    ],
    [
      "on one server that says it is clustered",
      { servers: [server({ topology: "clustered" })], streams: deaf() },
      {},
      /not proved to be standalone/,
    ],
    [
      "on one server that does not say",
      { servers: [server({ topology: "unknown" })], streams: deaf() },
      {},
      /not proved to be standalone/,
    ],
    ["on no server", { servers: [], streams: deaf() }, {}, /0 servers answered/],
    ["with memory streams", { streams: deaf({ storage: "memory" }) }, {}, /exists only in memory: stream ORDERS/],
    [
      "with consumers in memory",
      { streams: deaf({ consumers: [consumer({ storage: "memory" })] }) },
      {},
      /exists only in memory: 1 consumer of stream ORDERS/,
    ],
    [
      "with memory streams and no account key",
      { streams: deaf({ storage: "memory" }) },
      { allowMemoryLoss: true, hasAccountKey: false },
      /could not recreate it/,
    ],
    ["without a key to sign with", { streams: deaf() }, { canSign: false }, /no key to sign with/],
    ["without claims to give back", { streams: deaf() }, { claims: undefined }, /claims in force could not be read/],
  ])("the toggle is impossible %s, even as the last rung", (_where, seen, changes, reason) => {
    for (const tried of [[], ["push-again", "step-down-leaders"]] as RungId[][]) {
      const here = situation(seen, changes);
      expect(nextStep(here, asTried(here, tried))).toMatchObject({
        kind: "stop",
        refused: expect.arrayContaining([{ rung: "toggle-jetstream", why: expect.stringMatching(reason) }]),
      });
    }
  });

  test("memory streams may be toggled if the policy allows it and the account's key is there", () => {
    expect(stepOf({ streams: deaf({ storage: "memory" }) }, { allowMemoryLoss: true })).toBe("toggle-jetstream");
  });

  test.each<[string, Partial<StreamFacts>, Partial<Situation>, RegExp]>([
    ["without the account's key", { peers: PEERS }, { hasAccountKey: false }, /signingKey is not configured/],
    [
      "where no replica is current",
      { peers: PEERS.map((peer) => ({ ...peer, current: false })) },
      {},
      /no replica is current in stream ORDERS/,
    ],
  ])("leaders don't step down %s", (_what, facts, changes, reason) => {
    const step = nextStep(situation({ servers: CLUSTER, streams: deaf(facts) }, changes), NONE);
    expect(step).toMatchObject({ kind: "stop" });
    expect(JSON.stringify(step)).toMatch(reason);
  });

  test("the toggle is impossible if the streams can't be read, whatever an earlier look found", () => {
    const { verdict } = situation({ streams: deaf() });
    expect(nextStep(situation({ streams: FAILED }, { verdict }), NONE)).toMatchObject({
      kind: "stop",
      refused: [{ rung: "toggle-jetstream", why: expect.stringMatching(/streams could not be read/) }],
    });
  });

  test("only one server that is proved standalone is toggled, and nothing is done on a guess", () => {
    const topology = fc.constantFrom("standalone", "leaf", "clustered", "unknown");
    const world = fc.record({
      servers: fc.array(
        topology.map((joined) => server({ topology: joined })),
        { maxLength: 3 },
      ),
      streams: fc.constantFrom<Observation["streams"][]>(
        ...[deaf(), deaf({ peers: PEERS }), deaf({ storage: "memory" }), FAILED, observation().streams],
      ),
      accountView: fc.constantFrom<Observation["accountView"][]>(FAILING, FAILED, {
        ok: "not-asked",
        why: "",
      }),
    });
    const means = fc.record({
      canSign: fc.boolean(),
      hasAccountKey: fc.boolean(),
      allowMemoryLoss: fc.boolean(),
      canRestart: fc.boolean(),
    });
    const rungs = fc.uniqueArray(fc.constantFrom<RungId[]>(...LADDER.map(({ id }) => id)));
    fc.assert(
      fc.property(world, means, rungs, (seen, can, tried) => {
        const here = situation(seen, can);
        const step = nextStep(here, asTried(here, tried));
        if (here.verdict.health === "unknown") expect(step.kind).toBe("stop");
        if (step.kind !== "rung") return;
        expect(here.verdict.health).toBe("dead");
        expect(tried).not.toContain(step.rung.id);
        const asAccount: readonly RungId[] = [
          ...(["step-down-leaders", "scale-up", "restore-consumers", "touch-metadata"] as const),
        ];
        if (asAccount.includes(step.rung.id)) expect(can.hasAccountKey).toBe(true);
        if (step.rung.id === "restart-servers") expect(can.canRestart).toBe(true);
        if (step.rung.id !== "toggle-jetstream") return;
        expect(can.canSign).toBe(true);
        expect(seen.servers.map((one) => one.topology)).toEqual(["standalone"]);
        const inMemory = seen.streams.ok && seen.streams.value.some(({ storage }) => storage === "memory");
        if (inMemory) expect(can).toMatchObject({ allowMemoryLoss: true, hasAccountKey: true });
      }),
      { numRuns: 1_000 },
    );
  });

  test.each<[string, Partial<StreamFacts>, Partial<Situation>, string]>([
    ["a stream in memory on one of them alone", { storage: "memory" }, {}, "refused: stream ORDERS"],
    [
      "a consumer in memory on one of them alone",
      { consumers: [consumer({ storage: "memory" })] },
      {},
      "refused: consumer ORDERS > worker",
    ],
    ["memory that the policy allows to go", { storage: "memory" }, { allowMemoryLoss: true }, "climbed"],
    ["an empty stream in memory", { storage: "memory", messages: 0 }, {}, "climbed"],
    ["memory that a current replica keeps", { storage: "memory", peers: PEERS }, {}, "climbed"],
  ])("servers with %s are restarted only if the loss is allowed", (_what, facts, changes, expected) => {
    const streams = deaf({ ...facts, forgotten: [forgotten()] });
    const here = situation({ servers: CLUSTER, streams }, { canRestart: true, ...changes });
    const step = nextStep(here, asTried(here, ["step-down-leaders"]));
    const why = step.kind === "stop" ? step.refused.find(({ rung }) => rung === "restart-servers")?.why : undefined;
    const lost = /it would lose what exists only in the memory of one server: (.*); allow this/.exec(why ?? "")?.[1];
    const seen = step.kind === "rung" && step.rung.id === "restart-servers" ? "climbed" : `refused: ${lost}`;
    expect(seen).toBe(expected);
  });

  test("a refused rung is named beside the next one", () => {
    const seen = { streams: deaf({ peers: PEERS }) };
    expect(nextStep(situation(seen, { hasAccountKey: false }), NONE)).toMatchObject({
      kind: "rung",
      rung: { id: "toggle-jetstream" },
      refused: [{ rung: "step-down-leaders" }],
    });
  });

  test("rungs are ordered by risk, each with its risk and undo", () => {
    expect(LADDER.map(({ id }) => id)).toEqual([
      ...["push-again", "restore-consumers", "step-down-leaders", "scale-up", "toggle-direct-gets"],
      ...["touch-metadata", "toggle-jetstream", "enter-tiers", "restart-servers"],
    ]);
    for (const { risk, undo } of LADDER)
      expect({ risk: risk !== "", undo: undo !== "" }).toEqual({ risk: true, undo: true });
  });

  test("a rung is tried once; if none is left, a person is paged", () => {
    expect(stepOf({ streams: deaf() }, { canRestart: true }, ["toggle-jetstream", "restart-servers"])).toBe(
      "stop: no rung is left after toggle-jetstream, restart-servers",
    );
  });

  test("a rung is tried again for what appeared after it", () => {
    const first = situation({ servers: CLUSTER, streams: deaf({ peers: PEERS }) });
    const tried = asTried(first, ["step-down-leaders"]);
    const later = situation({ servers: CLUSTER, streams: deaf({ name: "LATER", peers: PEERS }) });
    expect(nextStep(first, tried)).not.toMatchObject({ rung: { id: "step-down-leaders" } });
    expect(nextStep(later, tried)).toMatchObject({ rung: { id: "step-down-leaders" } });
  });
});

const told = (losses: readonly Loss[]): readonly string[] => losses.map(({ message }) => message);

describe("losses", () => {
  const before = [stream({ consumers: [consumer()] })];
  test.each<[string, readonly StreamFacts[], readonly string[]]>([
    ["nothing", before, []],
    ["nothing where a stream grew", [stream({ lastSeq: 12, consumers: [consumer()] })], []],
    ["nothing where its own limits dropped messages", [stream({ messages: 1, consumers: [consumer()] })], []],
    ["a stream", [], ["stream ORDERS is gone"]],
    ["a durable consumer", [stream()], ["consumer ORDERS > worker is gone"]],
    [
      "the end of a stream",
      [stream({ lastSeq: 7, consumers: [consumer()] })],
      ["stream ORDERS ends at 7; it ended at 10"],
    ],
  ])("%s", (_what, after, losses) => {
    expect(told(findLosses(before, after))).toEqual(losses);
  });

  test("a forgotten consumer is not lost; one that starts over or disappears is", () => {
    const held = [stream({ forgotten: [forgotten({ ackFloor: 7 })] })];
    expect(findLosses(before, held)).toEqual([]);
    expect(findLosses(held, [stream({ consumers: [consumer({ ackFloor: 7 })] })])).toEqual([]);
    expect(told(findLosses(held, [stream({ consumers: [consumer({ ackFloor: 6 })] })]))).toEqual([
      "consumer ORDERS > worker starts over; it was at message 7",
    ]);
    expect(told(findLosses(held, [stream()]))).toEqual(["consumer ORDERS > worker is gone; it was at message 7"]);
  });

  test("a memory consumer is missing if its stream is there without it", () => {
    const config = { durable_name: "worker" };
    const seen = [{ stream: "ORDERS", config: { name: "ORDERS" }, consumers: [config] }];
    expect(findVanished(seen, before)).toEqual([]);
    expect(findVanished(seen, [])).toEqual([]);
    expect(told(findVanished(seen, [stream()]))).toEqual(["consumer ORDERS > worker, which was in memory, is gone"]);
  });

  test("an ephemeral consumer may disappear, but is reported", () => {
    const ephemeral = [stream({ consumers: [consumer({ durable: false })] })];
    expect(findLosses(ephemeral, [stream()])).toEqual([
      {
        stream: "ORDERS",
        consumer: "worker",
        kind: "gone",
        allowed: true,
        message: "ephemeral consumer ORDERS > worker is gone",
      },
    ]);
  });

  test.each([
    ["one that starts over", { lastSeq: 0, messages: 0 }],
    ["one that was filled again", { created: "later", lastSeq: 12, messages: 2 }],
  ])("messages in memory are lost: %s; the policy may allow it", (_what, now) => {
    const memory = [stream({ storage: "memory", created: "once" })];
    const after = [stream({ storage: "memory", created: "once", ...now })];
    const message = "memory stream ORDERS lost its 10 messages";
    expect(findLosses(memory, after)).toEqual([{ stream: "ORDERS", kind: "messages", message }]);
    expect(findLosses(memory, after, true)).toMatchObject([{ message, allowed: true }]);
    expect(findLosses(memory, [stream({ storage: "memory", created: "once" })])).toEqual([]);
    expect(told(findLosses(memory, []))).toEqual(["stream ORDERS is gone"]);
  });

  test("a mirror without an end has lost none of its messages", () => {
    const mirror = stream({ config: { name: "ORDERS", mirror: { name: "ORIGIN" } } });
    expect(findLosses([mirror], [{ ...mirror, lastSeq: 0 }])).toEqual([]);
    expect(findLosses([mirror], [{ ...mirror, lastSeq: 0, messages: 0 }])).toHaveLength(1);
  });
});

test("memory assets are recorded with everything needed to recreate them", () => {
  const inMemory = consumer({ storage: "memory", config: { durable_name: "m" } });
  expect(
    memoryAssets([stream({ consumers: [consumer(), inMemory, consumer({ storage: "memory", durable: false })] })]),
  ).toEqual([{ stream: "ORDERS", consumers: [{ durable_name: "m" }] }]);
  expect(memoryAssets([stream({ storage: "memory", consumers: [inMemory] })])).toEqual([
    { stream: "ORDERS", config: { name: "ORDERS" }, consumers: [{ durable_name: "m" }] },
  ]);
});
