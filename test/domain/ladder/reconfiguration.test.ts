import { describe, expect, test } from "@jest/globals";
import { originsFirst, readReconfiguration, scaleUps, touches } from "../../../lib/domain/ladder/reconfiguration.ts";
import type { Observation } from "../../../lib/domain/observation/observation.ts";
import { isWhole, replicaShortages } from "../../../lib/domain/observation/replicas.ts";
import { consumer, DEAF, observation, server, stream } from "../observations.ts";

const servers = ["s1", "s2", "s3"].map((name) =>
  server({ name, id: name, topology: "clustered", cluster: "c", tags: name === "s1" ? ["ssd"] : [] }),
);
const DEAF_CONSUMER = { heard: { ok: true, value: false } } as const;
type Facts = NonNullable<Parameters<typeof stream>[0]>;
const seen = (facts: Facts, changes: Partial<Observation> = {}): Observation =>
  observation({ servers, streams: { ok: true, value: [stream(facts)] }, ...changes });
const limits = (rooms: object): Observation["accountView"] => ({
  ok: true,
  value: {
    jetstream: "enabled",
    info: { streams: 1, consumers: 0, limits: rooms as never },
    streamNames: ["ORDERS"],
    failing: [],
    domains: [],
  },
});
const room = (used: number, limit: number) => ({ memory: { used, limit }, file: { used, limit } });
const PEERS = ["s2", "s3"].map((name) => ({ name, current: true }));

describe("a scale-up", () => {
  test("adds two replicas to a deaf single-replica stream, and can be undone to the byte", () => {
    const config = { name: "ORDERS", num_replicas: 1, metadata: { owner: "shop" } };
    expect(scaleUps(seen({ ...DEAF, config }))).toEqual({
      possible: [{ stream: "ORDERS", before: config, during: { ...config, num_replicas: 3 }, consumers: [] }],
      refused: [],
    });
  });

  test("includes a consumer with its stream, and alone if it stays single", () => {
    const single = consumer({ ...DEAF_CONSUMER, config: { durable_name: "worker", num_replicas: 1 } });
    const [change] = scaleUps(seen({ ...DEAF, consumers: [consumer(DEAF_CONSUMER), single] })).possible;
    expect(change?.consumers.map(({ during }) => during["num_replicas"])).toEqual([3]);
    const passing = consumer({ ...DEAF_CONSUMER, name: "p", durable: false, config: {} });
    const [alone] = scaleUps(
      seen({
        replicas: 3,
        peers: PEERS,
        config: { name: "ORDERS", retention: "limits" },
        consumers: [passing],
      }),
    ).possible;
    expect(alone).toEqual({
      stream: "ORDERS",
      consumers: [{ name: "p", before: { name: "p" }, during: { name: "p", num_replicas: 3 } }],
    });
  });

  test.each<[string, Facts]>([
    ["is heard", {}],
    ["has replicas", { ...DEAF, replicas: 3, peers: PEERS }],
    ["has lost its Raft node", { ...DEAF, nodeMissingOn: ["s1"] }],
    [
      "has a consumer that has lost its own",
      {
        ...DEAF,
        consumers: [consumer({ ...DEAF_CONSUMER, nodeMissingOn: ["s1"] }), consumer(DEAF_CONSUMER)],
      },
    ],
    [
      "is heard, and has a deaf consumer that has lost its own",
      { consumers: [consumer({ ...DEAF_CONSUMER, nodeMissingOn: ["s1"] })] },
    ],
  ])("ignores a stream that %s", (_what, facts) => {
    expect(scaleUps(seen(facts))).toEqual({ possible: [], refused: [] });
  });

  test.each<[string, Facts, Partial<Observation>, RegExp]>([
    [
      "tags that one server has",
      { config: { name: "ORDERS", placement: { tags: ["SSD"] } } },
      {},
      /needs 3 servers with the tags ssd, but there is 1/,
    ],
    [
      "two servers",
      {},
      { servers: servers.slice(1), streams: { ok: true, value: [stream({ ...DEAF, server: "s2" })] } },
      /there are 2/,
    ],
    [
      "no room",
      { bytes: 100 },
      { accountView: limits({ flat: room(100, 250) }) },
      /need 200 bytes of file storage, but the account has 150/,
    ],
    ["no tier", {}, { accountView: limits({ R1: room(0, -1) }) }, /limits have no tier R3/],
    ["a full tier", { bytes: 100 }, { accountView: limits({ R3: room(200, 250) }) }, /need 100 bytes/],
    [
      "what is reserved, not what is used",
      { bytes: 1, config: { name: "ORDERS", max_bytes: 500 } },
      { accountView: limits({ flat: room(0, 900) }) },
      /need 1000 bytes/,
    ],
  ])("is refused with the reason: %s", (_what, facts, changes, reason) => {
    const { possible, refused } = scaleUps(seen({ ...DEAF, ...facts }, changes));
    expect(possible).toEqual([]);
    expect(refused[0]?.why).toMatch(reason);
  });
});

test("a touch marks assets without nodes, adds replicas to a single stream, and recreates memory assets", () => {
  const lost = consumer({ nodeMissingOn: ["s2"] });
  const replicated = { replicas: 3, nodeMissingOn: ["s2"], consumers: [lost, consumer({ name: "well" })] };
  const [marked] = touches(seen(replicated), [], "job");
  expect(marked?.during).toEqual({ name: "ORDERS", metadata: { "relight.touch": "job" } });
  expect(marked?.consumers.map(({ name }) => name)).toEqual(["worker"]);
  const [single] = touches(seen({ nodeMissingOn: ["s1"] }), [], "job");
  expect(single?.during).toEqual({ name: "ORDERS", num_replicas: 3 });

  const view = limits({});
  const failing = [{ stream: "MEM", notFound: true, message: "stream not found" }];
  const gone: Partial<Observation> = {
    ...(view.ok === true ? { accountView: { ok: true, value: { ...view.value, failing } } } : {}),
    meta: {
      ok: true,
      value: { leader: "s1", size: 3, peers: PEERS.map((peer) => ({ ...peer, offline: false })) },
    },
  };
  const known = [{ stream: "MEM", config: { name: "MEM" }, consumers: [{ durable_name: "reader" }] }];
  const [anew, ...others] = touches(seen({}, gone), known, "job");
  expect(others).toEqual([]);
  expect(anew).toMatchObject({
    stream: "MEM",
    before: { name: "MEM" },
    consumers: [{ name: "reader", lost: true }],
  });
  expect(touches(seen({}, gone), [], "job")).toEqual([]);
});

test.each<[string, Facts, string | undefined]>([
  ["one replica", {}, undefined],
  ["three", { replicas: 3, peers: PEERS }, undefined],
  [
    "one of them behind",
    { replicas: 3, peers: PEERS.map((peer, index) => ({ ...peer, current: index === 0 })) },
    "stream ORDERS is behind on s3",
  ],
  ["one of them missing", { replicas: 3, peers: PEERS.slice(1) }, "stream ORDERS has 2 replicas and should have 3"],
  [
    "its consumer's are not there yet",
    { replicas: 3, peers: PEERS, consumers: [consumer({ leader: "s1" })] },
    "consumer ORDERS > worker has 1 replicas and should have 3",
  ],
  ["no leader", { leader: undefined as never }, "stream ORDERS has no leader"],
  ["a node missing", { nodeMissingOn: ["s1"] }, "stream ORDERS has no Raft node on s1"],
])("whole: %s", (_what, facts, expected) => {
  expect(replicaShortages(stream(facts))).toEqual(expected === undefined ? [] : [expected]);
  expect(isWhole(stream(facts))).toBe(expected === undefined);
});

test("the journal's configurations are read back, and nothing else", () => {
  const before = { name: "ORDERS" };
  expect(readReconfiguration({ stream: "ORDERS", undo: { before, consumers: [] } })).toEqual({
    stream: "ORDERS",
    before,
    consumers: [],
  });
  expect(readReconfiguration({ stream: "ORDERS" })).toBeUndefined();
});

test("origins are changed before their mirrors, however long the chain", () => {
  const one = (name: string, origin?: string) => ({
    stream: name,
    config: { name, ...(origin === undefined ? {} : { mirror: { name: origin } }) },
  });
  const wanted = [one("C", "B"), one("B", "A"), one("A"), one("D", "elsewhere")];
  const names = originsFirst(wanted).map((wave) => wave.map(({ stream: name }) => name));
  expect(names).toEqual([["A", "D"], ["B"], ["C"]]);
  expect(originsFirst([])).toEqual([]);
});

describe("a consumer with one configured replica, or an ephemeral one", () => {
  const said = { num_replicas: 1 };
  const retained = (retention: string, facts: Partial<ReturnType<typeof consumer>>, peers: boolean) =>
    stream({
      leader: "s1",
      replicas: 3,
      peers: PEERS,
      config: { name: "ORDERS", num_replicas: 3, retention },
      consumers: [consumer({ leader: "s1", ...facts, ...(peers ? { peers: PEERS } : { peers: [] }) })],
    });

  test.each(["workqueue", "interest"])("moves with its stream under retention %s", (retention) => {
    const facts = { ...DEAF_CONSUMER, config: said };
    const changes = scaleUps(seen(retained(retention, facts, false))).possible;
    expect(changes).toEqual([]);
    expect(isWhole(retained(retention, facts, true))).toBe(true);
    expect(isWhole(retained(retention, facts, false))).toBe(true);
  });

  test("is awaited until its replicas are there; an ephemeral one not until they are current", () => {
    const behind = [
      { name: "s2", current: true },
      { name: "s3", current: false },
    ];
    const one = (durable: boolean) =>
      stream({
        leader: "s1",
        replicas: 3,
        peers: PEERS,
        config: { name: "ORDERS", retention: "limits" },
        consumers: [consumer({ leader: "s1", durable, config: { num_replicas: 3 }, peers: behind })],
      });
    expect(replicaShortages(one(true))).toEqual(["consumer ORDERS > worker is behind on s3"]);
    expect(isWhole(one(false))).toBe(true);
  });

  test("keeps a single-replica stream from being scaled up before 2.10, because its position could be lost", () => {
    const facts = {
      ...DEAF,
      consumers: [consumer({ ...DEAF_CONSUMER, config: said, ackFloor: 4 })],
    };
    const old = servers.map((one) => ({ ...one, version: "2.9.25" }));
    expect(scaleUps(seen(facts, { servers: old })).refused).toEqual([
      expect.objectContaining({ why: expect.stringMatching(/could start over on servers before 2\.10/) }),
    ]);
    expect(scaleUps(seen(facts)).possible).toHaveLength(1);
  });
});
