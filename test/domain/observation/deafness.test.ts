import { describe, expect, test } from "@jest/globals";
import { scaleUps } from "../../../lib/domain/ladder/reconfiguration.ts";
import { serversToRestart } from "../../../lib/domain/ladder/restart.ts";
import { areHeard, deafStreamGroups } from "../../../lib/domain/ladder/step-down.ts";
import type { Observation, OriginFacts, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { consumer, DEAF, observation, operator, server, stream } from "../observations.ts";

/** Copies without heartbeats: their server has no other way to show that it is deaf for them. */

const clustered = (name: string, changes = {}) =>
  server({ id: name, name, topology: "clustered", cluster: "C1", ...changes });
const SERVERS = ["s1", "s2", "s3"].map((name) => clustered(name));
const SILENT: readonly OriginFacts[] = [
  {
    stream: "ORDERS",
    lag: 0,
    taken: 10,
    activeAgo: millis(100),
    later: [1_600, 3_100].map((ago) => ({ activeAgo: millis(ago), taken: 10 })),
  },
];
const HEARD = SILENT.map((origin) => ({ ...origin, later: [] }));

const copy = (changes: Partial<StreamFacts> = {}): StreamFacts =>
  stream({
    name: "COPY",
    subjects: [],
    server: "s2",
    leader: "s2",
    config: { name: "COPY" },
    origins: { ok: true, value: SILENT },
    ...changes,
  });
const seen = (value: readonly StreamFacts[], changes: Partial<Observation> = {}): Observation =>
  observation({ servers: SERVERS, streams: { ok: true, value }, ...changes });
const PEERS = ["s1", "s3"].map((name) => ({ name, current: true }));

describe("a copy that receives nothing from a working origin", () => {
  test("gets replicas temporarily if it has one, otherwise its leader steps down", () => {
    const single = seen([stream(), copy()]);
    expect(scaleUps(single).possible).toMatchObject([{ stream: "COPY", during: { num_replicas: 3 } }]);
    expect(deafStreamGroups(single)).toEqual([]);
    const replicated = seen([stream(), copy({ replicas: 3, peers: PEERS })]);
    expect(scaleUps(replicated)).toEqual({ possible: [], refused: [] });
    expect(deafStreamGroups(replicated)).toEqual([{ stream: "COPY" }]);
    expect(areHeard(replicated, [{ stream: "COPY" }])).toBe(false);
    expect(areHeard(seen([stream(), copy({ origins: { ok: true, value: HEARD } })]), [{ stream: "COPY" }])).toBe(true);
  });

  test("is healed while some servers answer direct gets, because then its own server may be deaf", () => {
    const directGets = { ok: true, value: { deafOn: ["s1"], heardOn: ["s2", "s3"] } } as const;
    const partly = seen([stream(), copy({ replicas: 3, peers: PEERS }), stream({ name: "KV_X", directGets })]);
    expect(deafStreamGroups(partly)).toEqual([{ stream: "COPY" }]);
  });

  test("asks for a restart of its server if nothing else helps", () => {
    expect(serversToRestart(seen([stream(), copy()]))).toEqual(["s2"]);
  });

  test.each<[string, Observation]>([
    ["it receives heartbeats", seen([stream(), copy({ origins: { ok: true, value: HEARD } })])],
    ["its origin is deaf, because it recovers with it", seen([stream(DEAF), copy()])],
    [
      "no server answers direct gets of a stream, because it was just revived, and copies follow by themselves",
      seen([
        stream(),
        copy(),
        stream({ name: "KV_X", directGets: { ok: true, value: { deafOn: ["s1"], heardOn: [] } } }),
      ]),
    ],
    [
      "a consumer is deaf, because that is healed first",
      seen([stream({ consumers: [consumer({ heard: { ok: true, value: false } })] }), copy()]),
    ],
    [
      "its origin reports an error",
      seen([stream(), copy({ origins: { ok: true, value: SILENT.map((one) => ({ ...one, error: "gone" })) } })]),
    ],
    ["its origin does not exist", seen([copy()])],
    [
      "its origin is in another cluster, because the network may be the cause",
      seen([stream(), copy()], {
        servers: SERVERS.map((one) => (one.name === "s1" ? clustered("s1", { cluster: "C2" }) : one)),
      }),
    ],
    ["its server is standalone", seen([stream(), copy()], { servers: [server(), server({ id: "N2", name: "s2" })] })],
  ])("is left alone if %s", (_why, state) => {
    expect(scaleUps(state).possible.map(({ stream: name }) => name)).not.toContain("COPY");
    expect(deafStreamGroups(state)).not.toContainEqual({ stream: "COPY" });
    expect(serversToRestart(state)).not.toContain("s2");
  });

  test("gets no replicas if servers don't report its Raft node, and may be restarted", () => {
    const old = seen([stream(), copy()], { servers: SERVERS.map((one) => ({ ...one, version: "2.9.10" })) });
    expect(scaleUps(old)).toEqual({ possible: [], refused: [] });
    expect(serversToRestart(old)).toEqual(["s2"]);
  });
});

describe("a mirror that ends beyond its origin", () => {
  const mirror = (changes: Partial<StreamFacts> = {}, later: OriginFacts["later"] = [{ taken: 12 }]) =>
    copy({
      lastSeq: 12,
      messages: 12,
      config: { name: "COPY", mirror: { name: "ORDERS" } },
      origins: { ok: true, value: [{ stream: "ORDERS", lag: 0, activeAgo: millis(1), later }] },
      ...changes,
    });
  const isFound = (one: StreamFacts, origin = stream()): boolean => {
    const verdict = assess(seen([origin, one]), { operator, unfinishedToggle: false, unfinishedChanges: [] });
    return verdict.findings.some(({ code }) => code === "stream.ahead_of_origin");
  };

  test("receives nothing, and is found", () => {
    expect(isFound(mirror())).toBe(true);
    expect(isFound(mirror({}, [{}]))).toBe(true);
  });

  test.each<[string, StreamFacts]>([
    ["it ends where its origin does, and has more messages", mirror({ lastSeq: 10, messages: 10 })],
    ["it moved during the check: its origin was read first", mirror({}, [{ taken: 13 }])],
    ["it was read only once", mirror({}, [])],
    ["it is a source, which has its own sequences", mirror({ config: { name: "COPY", sources: [] } })],
  ])("is not found if %s", (_why, one) => {
    expect(isFound(one, stream({ messages: 1, firstSeq: 10 }))).toBe(false);
  });

  test("is not found if its origin can't be seen", () => {
    expect(isFound(mirror(), stream({ name: "ANOTHER" }))).toBe(false);
  });
});
