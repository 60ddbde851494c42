import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { isLedIfPossible, losesByRestart, serversToRestart } from "../../../lib/domain/ladder/restart.ts";
import {
  inOrder,
  objectionsTo,
  type RestartEvidence,
  restartBlockers,
} from "../../../lib/domain/ladder/restart-guard.ts";
import type { MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type { HostedStream, Observation } from "../../../lib/domain/observation/observation.ts";
import { epochMillis, isoTime } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, consumer, DEAF, FAILED, NOW, observation, server, stream } from "../observations.ts";

const AT = epochMillis(NOW * 1000);
const OTHER = `A${"X".repeat(55)}` as AccountId;
const NAMES = ["s1", "s2", "s3"];
const servers = NAMES.map((name) => server({ name, id: name, topology: "clustered" }));
const meta = (changes: Partial<MetaGroup> = {}): RestartEvidence["meta"] => ({
  ok: true,
  value: {
    leader: "s1",
    size: 3,
    peers: ["s2", "s3"].map((name) => ({ name, current: true, offline: false })),
    ...changes,
  },
});
/** A stream as all three servers report it; `s1` leads. */
const hosted = (changes: Partial<HostedStream> = {}): HostedStream[] =>
  NAMES.map((name) => ({
    account: OTHER,
    name: "S",
    server: name,
    storage: "file",
    replicas: 3,
    messages: 5,
    leader: "s1",
    peers: NAMES.filter((peer) => peer !== name).map((peer) => ({ name: peer, current: true })),
    bytes: 500,
    config: { name: "S" },
    ...changes,
  }));
const evidence = (changes: Partial<RestartEvidence> = {}): RestartEvidence => ({
  at: AT,
  servers,
  meta: meta(),
  atRisk: { ok: true, value: { expired: [], notStored: [] } },
  hosted: { ok: true, value: hosted() },
  ...changes,
});
const order = { server: "s2", account: ACCOUNT, allowMemoryLoss: false };
const inMemory = (account: AccountId, messages = 5): RestartEvidence["hosted"] => ({
  ok: true,
  value: hosted({ account, storage: "memory", replicas: 1, messages, peers: [], leader: "s2" }).slice(1, 2),
});
const peer = (name: string, changes: object) => ({ name, current: true, offline: false, ...changes });

describe("the guard", () => {
  test("has no objection if nothing else is at risk", () => {
    expect(objectionsTo(order, evidence())).toEqual([]);
  });

  test.each<[string, Partial<RestartEvidence>, RegExp]>([
    ["a server that does not answer", { servers: servers.slice(0, 1) }, /s2 does not answer/],
    [
      "a look that saw one server of the three only, as one that has just started may show",
      { servers: servers.slice(1, 2) },
      /s1 does not answer; s3 does not answer/,
    ],
    [
      "an account that is expired",
      { atRisk: { ok: true, value: { expired: [OTHER], notStored: [] } } },
      /account AX+ has expired/,
    ],
    [
      "an account that the resolver lacks",
      { atRisk: { ok: true, value: { expired: [], notStored: [OTHER] } } },
      /the resolver lacks the JWT of account AX+/,
    ],
    [
      "a stream of any account that the server would empty",
      { hosted: { ok: true, value: hosted({ account: OTHER, emptiedByLoad: true }) } },
      /^s2 would empty stream AX+ > S when it starts again/,
    ],
    ["accounts at risk that are not known", { atRisk: FAILED }, /which accounts a restart would harm could not be/],
    ["a meta group that is not known", { meta: FAILED }, /the meta group could not be checked/],
    ["streams that are not known", { hosted: FAILED }, /the streams of other accounts could not be checked/],
    [
      "another server that is away",
      { meta: meta({ peers: [peer("s2", {}), peer("s3", { offline: true })] }) },
      /s3 is offline/,
    ],
    [
      "a replica that is behind",
      {
        hosted: {
          ok: true,
          value: hosted({
            peers: [
              { name: "s2", current: true },
              { name: "s3", current: false },
            ],
          }),
        },
      },
      /stream AX+ > S has replicas that are behind: s3/,
    ],
    [
      "a replica that is not there",
      { hosted: { ok: true, value: hosted({ peers: [{ name: "s2", current: true }] }) } },
      /stream AX+ > S lacks 1 of its 3 replicas/,
    ],
    [
      "a stream without a leader",
      { hosted: { ok: true, value: hosted().map(({ leader: _leader, ...rest }) => rest) } },
      /stream AX+ > S has no leader/,
    ],
    ["another account's messages in memory", { hosted: inMemory(OTHER) }, /exists only on s2 and would be lost/],
    ["the account's own messages in memory", { hosted: inMemory(ACCOUNT) }, /exists only on s2 and would be lost/],
  ])("objects to %s", (_what, changes, reason) => {
    expect(objectionsTo(order, evidence(changes)).join("; ")).toMatch(reason);
  });

  test.each<[string, Partial<RestartEvidence>]>([
    ["a server that stands alone", { meta: { ok: true, value: undefined } }],
    ["the very server being stuck", { meta: meta({ peers: [peer("s2", { current: false }), peer("s3", {})] }) }],
    [
      "the account's own streams being damaged",
      { hosted: { ok: true, value: hosted({ account: ACCOUNT, peers: [] }) } },
    ],
    ["a stream in memory that is empty", { hosted: inMemory(OTHER, 0) }],
    [
      "another account's stream that is just being made",
      { hosted: { ok: true, value: hosted({ peers: [], created: isoTime(epochMillis(AT - 2_000)) }) } },
    ],
  ])("does not object to %s", (_what, changes) => {
    expect(objectionsTo(order, evidence(changes))).toEqual([]);
  });

  test("allows the loss of the account's own memory if the policy does, and of nobody else's", () => {
    const allowed = { ...order, allowMemoryLoss: true };
    expect(objectionsTo(allowed, evidence({ hosted: inMemory(ACCOUNT) }))).toEqual([]);
    expect(objectionsTo(allowed, evidence({ hosted: inMemory(OTHER) }))).toHaveLength(1);
  });

  const of = (version: string): RestartEvidence["servers"] => servers.map((it) => ({ ...it, version }));
  const leads = { ...order, server: "s1" };
  const damagedElsewhere: RestartEvidence["hosted"] = {
    ok: true,
    value: [{ ...(hosted({ replicas: 1, peers: [], leader: "s3" })[2] as HostedStream), nodeMissing: true }],
  };

  test.each<[string, string, Partial<Parameters<typeof objectionsTo>[0]>, Partial<RestartEvidence>, boolean]>([
    ["damaged servers are left", "2.10.20", { others: ["s2", "s3"] }, {}, true],
    ["one is left", "2.10.16", { others: ["s3"] }, {}, true],
    ["none is left", "2.10.20", { others: [] }, {}, false],
    ["another account's streams are damaged elsewhere", "2.10.22", {}, { hosted: damagedElsewhere }, true],
    ["a version that was not tried, beside those that panic", "2.10.13", { others: ["s3"] }, {}, true],
    ["an unreadable version", "unknown", { others: ["s3"] }, {}, true],
    ["it is another that leads", "2.10.20", { server: "s2", others: ["s1", "s3"] }, {}, false],
    ["versions that survive it: 2.10.27", "2.10.27", { others: ["s2", "s3"] }, {}, false],
    ["versions that survive it: 2.10.10", "2.10.10", { others: ["s2", "s3"] }, {}, false],
    ["versions that survive it: 2.15.1", "2.15.1", { others: ["s2", "s3"] }, {}, false],
  ])("the meta leader's restart if %s (%s)", (_what, version, change, more, objects) => {
    const all = objectionsTo({ ...leads, ...change }, evidence({ servers: of(version), ...more })).join("; ");
    if (objects) expect(all).toMatch(/s1 leads the meta group, and .* would panic at the election/);
    else expect(all).toBe("");
  });

  test.each<[string, RestartEvidence["meta"], readonly string[]]>([
    ["first", meta(), ["s2", "s3", "s1"]],
    ["another", meta({ leader: "s3" }), ["s1", "s2", "s3"]],
    ["that is none of them", meta({ leader: "s9" }), ["s1", "s2", "s3"]],
    ["that is unknown", FAILED, ["s1", "s2", "s3"]],
    ["of a server that stands alone", { ok: true, value: undefined }, ["s1", "s2", "s3"]],
  ])("restarts the meta leader last, whoever it is now: %s", (_what, group, wanted) => {
    const orders = NAMES.map((name) => ({ ...order, server: name }));
    expect(inOrder(orders, evidence({ meta: group })).map((it) => it.server)).toEqual(wanted);
  });

  test("after a restart does not wait for what was lost in memory", () => {
    expect(restartBlockers(order, evidence({ hosted: inMemory(OTHER) }))).toEqual([]);
  });
});

const seen = (streams: Observation["streams"], changes: Partial<Observation> = {}): Observation =>
  observation({ servers, streams, ...changes });
const one = (...changes: Parameters<typeof stream>): Observation["streams"] => ({
  ok: true,
  value: [stream(...changes)],
});

describe("which servers to restart", () => {
  test("the one with the most dead assets first, servers without any not at all", () => {
    const lost = consumer({ nodeMissingOn: ["s2"] });
    const damaged = { nodeMissingOn: ["s1", "s2"], consumers: [lost] };
    expect(serversToRestart(seen(one(damaged)))).toEqual(["s2", "s1"]);
    expect(serversToRestart(seen(one({ ...DEAF, server: "s3" })))).toEqual(["s3"]);
    expect(serversToRestart(seen(one()))).toEqual([]);
  });

  test("all for a stream that no server holds, if all are there; none if one is away", () => {
    const view: Observation["accountView"] = {
      ok: true,
      value: {
        jetstream: "enabled",
        info: { streams: 2, consumers: 0, limits: {} },
        streamNames: ["ORDERS", "MEM"],
        failing: [{ stream: "MEM", notFound: true, message: "stream not found" }],
        domains: [],
      },
    };
    const whole = seen(one(), { accountView: view, meta: meta() });
    expect(serversToRestart(whole)).toEqual(NAMES);
    const away = meta({ peers: [peer("s2", { offline: true }), peer("s3", {})] });
    expect(serversToRestart(seen(one(), { accountView: view, meta: away }))).toEqual([]);
  });

  test.each<[string, Parameters<typeof stream>[0], readonly string[]]>([
    ["a deaf stream in memory", { ...DEAF, storage: "memory" }, ["stream ORDERS"]],
    ["one that is empty", { ...DEAF, storage: "memory", messages: 0 }, []],
    ["one with a current replica", { ...DEAF, storage: "memory", peers: [{ name: "s2", current: true }] }, []],
    ["one on file", DEAF, []],
    ["one in memory on a server that is left alone", { storage: "memory", server: "s3" }, []],
    ["one in memory without its Raft node: it is gone", { storage: "memory", nodeMissingOn: ["s1"] }, []],
    [
      "a consumer in memory of a stream on file",
      { ...DEAF, consumers: [consumer({ storage: "memory" })] },
      ["consumer ORDERS > worker"],
    ],
    [
      "an ephemeral one, which counts as no loss",
      { ...DEAF, consumers: [consumer({ storage: "memory", durable: false })] },
      [],
    ],
    [
      "a memory consumer of a memory stream: reported with its stream",
      { ...DEAF, storage: "memory", consumers: [consumer({ storage: "memory" })] },
      ["stream ORDERS"],
    ],
  ])("losses of %s", (_what, facts, lost) => {
    expect(losesByRestart(seen(one(facts)))).toEqual(lost);
  });
});

test.each<[string, Parameters<typeof stream>[0], boolean]>([
  ["led, with current replicas", { replicas: 3, peers: ["s2", "s3"].map((name) => ({ name, current: true })) }, true],
  [
    "a replica is behind",
    { replicas: 3, peers: ["s2", "s3"].map((name) => ({ name, current: name === "s2" })) },
    false,
  ],
  ["without a majority of nodes nothing can be elected", { replicas: 3, nodeMissingOn: ["s1", "s2"] }, true],
  [
    "the replica without a node is not waited for",
    {
      replicas: 3,
      nodeMissingOn: ["s3"],
      peers: ["s2", "s3"].map((name) => ({ name, current: name === "s2" })),
    },
    true,
  ],
])("has the leader that it can have: %s", (_what, facts, expected) => {
  expect(isLedIfPossible(stream(facts))).toBe(expected);
});
