import { describe, expect, test } from "@jest/globals";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { nextStep } from "../../../lib/domain/ladder/ladder.ts";
import { type Loss, lossesSince, newLosses } from "../../../lib/domain/ladder/loss.ts";
import { awayFrom, type MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type {
  Observation,
  Probe,
  ServerFacts,
  StreamFacts,
  Unheld,
} from "../../../lib/domain/observation/observation.ts";
import { isNews, type LastSight, lastSight, sightIn } from "../../../lib/domain/observation/streams-seen.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { hiddenByAway } from "../../../lib/domain/verdict/held-findings.ts";
import { settleTime } from "../../../lib/domain/verdict/settling.ts";
import type { Verdict } from "../../../lib/domain/verdict/verdict.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { ACCOUNT, claims, consumer, DEAF, FAILED, observation, operator, server, stream } from "../observations.ts";

const peers = (...names: string[]) => names.map((name) => ({ name, current: true }));
const R3 = { replicas: 3, leader: "s1", peers: peers("s2", "s3") };

const clustered = (...names: string[]): readonly ServerFacts[] =>
  names.map((name) => server({ id: name, name, topology: "clustered" }));

const META: MetaGroup = {
  leader: "s1",
  size: 3,
  peers: ["s2", "s3"].map((name) => ({ name, current: true, offline: name === "s3" })),
};

interface Scene {
  readonly streams: readonly StreamFacts[];
  /** What no server holds, according to the account's own view; undefined without a key. */
  readonly unheld?: Probe<readonly Unheld[]>;
  readonly answering?: readonly string[];
  readonly meta?: Observation["meta"];
}

/** Three servers, of which s3 does not answer. */
function seen({ streams, unheld, answering = ["s1", "s2"], meta = { ok: true, value: META } }: Scene): Observation {
  const view = observation().accountView;
  const names = streams.map(({ name }) => name);
  return observation({
    servers: clustered(...answering),
    streams: { ok: true, value: streams },
    meta,
    accountView:
      unheld === undefined || view.ok !== true
        ? { ok: "not-asked", why: "no key" }
        : { ok: true, value: { ...view.value, streamNames: names, unheld } },
  });
}

const judge = (observed: Observation, sight?: LastSight): Verdict =>
  assess(observed, {
    operator,
    unfinishedToggle: false,
    unfinishedChanges: [],
    ...(sight === undefined ? {} : { sight }),
  });

const found = ({ findings }: Verdict) => findings.map(({ code, health }) => `${health} ${code}`);

const AT = epochMillis(1_000);
const sight = (streams: LastSight["streams"], whole = true): LastSight => ({ at: AT, streams, whole });
const none: Probe<readonly Unheld[]> = { ok: true, value: [] };
const unheld = (...value: Unheld[]): Probe<readonly Unheld[]> => ({ ok: true, value });

describe("assets that no server holds", () => {
  test("are dead if the cluster lists them, with the one absent server", () => {
    const verdict = judge(
      seen({
        streams: [stream()],
        unheld: unheld(
          { stream: "ONE", holders: [], replicas: 1 },
          { stream: "ORDERS", consumer: "solo", holders: [], durable: true },
        ),
      }),
    );
    expect(found(verdict)).toEqual(["dead stream.unheld", "dead consumer.unheld"]);
    expect(verdict.findings[0]).toMatchObject({
      subject: { server: "s3", stream: "ONE" },
      message:
        "no server holds stream ONE (R1): it is on s3, which does not answer; bring s3 back, with its storage; do not peer-remove it: that empties ONE",
    });
    expect(verdict.findings[1]?.subject).toEqual({ server: "s3", stream: "ORDERS", consumer: "solo" });
  });

  test("are dead if all servers answer, too, and name no server", () => {
    const verdict = judge(
      seen({
        streams: [stream()],
        answering: ["s1", "s2", "s3"],
        unheld: unheld({ stream: "ORDERS", consumer: "solo", holders: [], durable: true }),
      }),
    );
    expect(found(verdict)).toEqual(["dead consumer.unheld"]);
    expect(verdict.findings[0]?.message).toMatch(/all servers answer and none has it/);
  });

  test.each([
    ["a durable one by the leader's list", "hUdMRuGK", true, undefined, ["dead consumer.unheld"]],
    ["one with a name that people give", "shipping", undefined, undefined, ["dead consumer.unheld"]],
    ["an ordered one, which its client makes anew", "oc_in10GDS3KUH5y311ZwdTCy_1", undefined, undefined, []],
    ["a durable one with such a name", "oc_in10GDS3KUH5y311ZwdTCy_1", true, undefined, ["dead consumer.unheld"]],
    ["one that may be ephemeral", "hUdMRuGK", undefined, undefined, ["unknown consumer.unheld"]],
    ["an ephemeral one by the leader's list", "hUdMRuGK", false, undefined, []],
    [
      "one that the journal knows as durable",
      "hUdMRuGK",
      undefined,
      [{ name: "hUdMRuGK", servers: ["s3"] }],
      ["dead consumer.unheld"],
    ],
  ] as const)("of consumers: %s", (_what, name, durable, known, codes) => {
    const consumers = unheld({
      stream: "ORDERS",
      consumer: name,
      holders: [],
      ...(durable === undefined ? {} : { durable }),
    });
    const last = known && sight([{ name: "ORDERS", servers: ["s1"], consumers: known }]);
    expect(found(judge(seen({ streams: [stream()], unheld: consumers }), last))).toEqual(codes);
  });

  test("are unknown if the names could not be listed", () => {
    const verdict = judge(seen({ streams: [stream()], unheld: FAILED, answering: ["s1", "s2", "s3"] }));
    expect(found(verdict)).toEqual(["unknown probe.failed"]);
  });

  test("hide other findings about them, such as no answer", () => {
    const observed = seen({ streams: [stream()], unheld: unheld({ stream: "ONE", holders: ["s3"] }) });
    if (observed.accountView.ok !== true) throw new Error("there is a view");
    const failing = [{ stream: "ONE", notFound: false, message: "timeout" }];
    const accountView = { ok: true, value: { ...observed.accountView.value, failing } } as const;
    expect(found(judge({ ...observed, accountView }))).toEqual(["dead stream.unheld"]);
  });

  describe("without the account's key", () => {
    const one = { name: "ONE", servers: ["s3"], replicas: 1 };

    test("assets are dead if the journal has them on the absent server", () => {
      const last = sight([
        { ...one, consumers: [] },
        { name: "ORDERS", servers: ["s1"], consumers: [{ name: "solo", servers: ["s3"] }] },
      ]);
      const verdict = judge(seen({ streams: [stream()] }), last);
      expect(found(verdict)).toEqual([...["dead stream.unheld", "dead consumer.unheld"], "degraded server.away"]);
      expect(verdict.findings[0]?.message).toMatch(/ONE \(R1\): according to the journal it is on s3/);
    });

    test("are no finding if their server answers: somebody deleted them", () => {
      const last = sight([{ ...one, servers: ["s2"] }]);
      expect(found(judge(seen({ streams: [stream()] }), last))).toEqual(["degraded server.away"]);
      const all = seen({ streams: [stream()], answering: ["s1", "s2", "s3"] });
      expect(found(judge(all, sight([one])))).toEqual([]);
    });

    test.each([
      ["the account was never seen", undefined],
      ["not all of it is remembered", sight([], false)],
    ])("are unknown if %s", (_what, last) => {
      expect(found(judge(seen({ streams: [stream()] }), last))).toEqual(["unknown server.away"]);
    });

    test("are unknown if nothing names the absent server or reports the meta group", () => {
      const leaderless = { ok: true, value: { size: 3, peers: [] } } as const;
      expect(found(judge(seen({ streams: [stream()], meta: leaderless }), sight([])))).toEqual(["unknown server.away"]);
      expect(found(judge(seen({ streams: [stream()], meta: FAILED }), sight([])))).toEqual(["unknown probe.failed"]);
    });

    test("do not matter to an account that can have no streams", () => {
      const document = claims({}, { mem_storage: 0, disk_storage: 0 });
      const running = observation().running;
      if (!running.ok) throw new Error("it runs");
      const value = running.value.map((entry) => ({ ...entry, jetstream: false, document }));
      const observed = { ...seen({ streams: [] }), running: { ok: true, value } } as Observation;
      expect(found(judge(observed)).filter((code) => code.includes("away"))).toEqual([]);
    });
  });
});

describe("replicas", () => {
  test.each<[string, Partial<StreamFacts>, readonly string[]]>([
    ["all there", { ...R3, peers: peers("s2"), replicas: 2 }, []],
    ["one of three away", R3, ["degraded stream.replica_away"]],
    ["one of two away", { replicas: 2, leader: "s1", peers: peers("s3") }, ["dead stream.no_majority"]],
    [
      "one of two away, and no leader any more: the reporting server lists itself",
      { replicas: 2, leader: undefined as never, peers: peers("s1", "s3") },
      ["dead stream.no_majority"],
    ],
    [
      "one of two taken out of the cluster, and no leader",
      { replicas: 2, leader: undefined as never, peers: peers("s1") },
      ["dead stream.no_majority"],
    ],
    ["one of two taken out, and the other leads", { replicas: 2, peers: [] }, ["degraded stream.replica_away"]],
    [
      "the leader has just gone: a follower reports, and does not list itself",
      { server: "s3", replicas: 3, leader: "s3", reportedBy: "s1", peers: peers("s2") },
      ["unknown stream.no_leader", "degraded stream.replica_away"],
    ],
    ["one that lags", { replicas: 2, peers: [{ name: "s2", current: false }] }, ["degraded stream.replica_behind"]],
    [
      "a name that is not known yet",
      { replicas: 2, peers: [{ name: "Server name unknown at this time (peerID: x)", current: true }] },
      [],
    ],
  ])("%s", (_what, facts, codes) => {
    const { leader, ...others } = facts;
    const { leader: _, ...plain } = stream();
    const held = {
      ...plain,
      ...("leader" in facts && leader === undefined ? {} : { leader: leader ?? "s1" }),
      ...others,
    };
    // A probe of something without a leader fails, which is reported once.
    const failed = held.leader === undefined || held.leader === "s3" ? { deafSubjects: FAILED } : {};
    expect(found(judge(seen({ streams: [{ ...held, ...failed }], unheld: none })))).toEqual(codes);
  });

  test("of consumers are reported if their stream's differ", () => {
    const consumers = [
      consumer({ leader: "s1", peers: peers("s2", "s3") }),
      consumer({ name: "solo", leader: "s1", peers: peers("s3") }),
    ];
    expect(found(judge(seen({ streams: [stream({ ...R3, consumers })], unheld: none })))).toEqual([
      "degraded stream.replica_away",
      "dead consumer.no_majority",
    ]);
  });

  test("of consumers are reported if only they have a fault", () => {
    const { leader: _, ...leaderless } = consumer({ name: "c", peers: peers("s1", "s2") });
    const consumers = [
      consumer({ name: "a", leader: "s1", peers: peers("s2", "s3") }),
      consumer({ name: "b", leader: "s1", peers: [{ name: "s2", current: false }] }),
      leaderless,
    ];
    expect(found(judge(seen({ streams: [stream({ consumers })], unheld: none })))).toEqual([
      ...["degraded consumer.replica_away", "degraded consumer.replica_behind", "unknown consumer.no_leader"],
    ]);
  });

  test("that lag or elect a leader get time; absent ones are checked twice", () => {
    const settle = (facts: Partial<StreamFacts>) =>
      settleTime(judge(seen({ streams: [stream(facts)], unheld: none })), TIMING);
    expect(settle({ replicas: 2, peers: [{ name: "s2", current: false }] })).toBe(10_000);
    expect(settle(R3)).toBe(1_000);
  });
});

test("block moves and restarts while something is away, but not step-downs", () => {
  const situation = (streams: readonly StreamFacts[]) => {
    const observed = seen({ streams, unheld: unheld({ stream: "ONE", holders: ["s3"] }) });
    return {
      observation: observed,
      verdict: judge(observed),
      claims: claims(),
      canSign: true,
      hasAccountKey: true,
      allowMemoryLoss: true,
      canRestart: true,
      memorySeen: [],
    };
  };
  expect(nextStep(situation([stream()]), new Set())).toMatchObject({
    kind: "stop",
    refused: [],
    why: expect.stringMatching(/bring s3 back/),
  });
  expect(nextStep(situation([stream(DEAF)]), new Set())).toMatchObject({
    kind: "stop",
    refused: [
      { rung: "scale-up", why: expect.stringMatching(/bring s3 back/) },
      { rung: "toggle-jetstream" },
      { rung: "restart-servers" },
    ],
  });
  const withSuccessor = stream({ ...DEAF, replicas: 2, peers: peers("s2") });
  expect(nextStep(situation([withSuccessor]), new Set())).toMatchObject({ rung: { id: "step-down-leaders" } });
});

test("assets that no server holds block no remedy if all servers answer", () => {
  const answering = ["s1", "s2", "s3"];
  const observed = seen({
    streams: [stream({ ...DEAF, replicas: 2, peers: peers("s2") })],
    answering,
    unheld: unheld({ stream: "ORDERS", consumer: "solo", holders: [], durable: true }),
  });
  expect(hiddenByAway(judge(observed), observed)).toBeUndefined();
  // The report of a restarted server says more than that no server holds the stream.
  const lost = seen({ streams: [stream()], answering, unheld: unheld({ stream: "CACHE", holders: [] }) });
  if (lost.accountView.ok !== true) throw new Error("there is a view");
  const failing = [{ stream: "CACHE", notFound: true, message: "stream not found" }];
  const accountView = { ok: true, value: { ...lost.accountView.value, failing } } as const;
  expect(found(judge({ ...lost, accountView }))).toEqual(["dead stream.failing"]);
});

test("the absent members of the meta group", () => {
  expect(awayFrom(META, new Set(["s1", "s2"]))).toEqual({ names: ["s3"], unnamed: 0 });
  expect(awayFrom({ size: 3, peers: [] }, new Set(["s1"]))).toEqual({ names: [], unnamed: 2 });
});

describe("the last healthy look", () => {
  const made = "2026-01-01T00:00:00.5Z";
  const worker = consumer({ created: made, ackFloor: 8, leader: "s1" });
  const now = (changes: Partial<StreamFacts> = {}): Pick<Observation, "streams" | "servers" | "elsewhere"> => ({
    streams: { ok: true, value: [stream({ created: made, consumers: [worker], ...changes })] },
    elsewhere: { ok: true, value: [] },
    servers: clustered("s1", "s2"),
  });
  const whole = sightIn(observation(now()));
  const entry: JournalEntry = {
    at: AT,
    job: "j",
    account: ACCOUNT,
    kind: "streams.seen",
    data: JSON.parse(JSON.stringify(whole)),
  };
  const last = lastSight([entry]);
  if (last === undefined || whole === undefined) throw new Error("it was seen");

  test("records where assets are held, and is restored from the journal unchanged", () => {
    expect(last).toEqual({
      at: AT,
      whole: true,
      streams: [
        {
          name: "ORDERS",
          servers: ["s1"],
          replicas: 1,
          created: made,
          lastSeq: 10,
          consumers: [{ name: "worker", servers: ["s1"], created: made, ackFloor: 8 }],
        },
      ],
    });
    const old = { ...entry, data: { streams: [{ name: "ORDERS", servers: ["s1"] }] } };
    expect(lastSight([old])).toEqual({
      at: AT,
      streams: [{ name: "ORDERS", servers: ["s1"] }],
      whole: false,
    });
  });

  test.each<[string, Partial<StreamFacts>, boolean]>([
    ["nothing changed", {}, false],
    ["a few messages came", { lastSeq: 15 }, false],
    ["it doubled", { lastSeq: 21 }, true],
    ["its sequence was reset", { lastSeq: 9 }, true],
    ["it moved", { server: "s2", leader: "s2" }, true],
    ["a durable consumer came", { consumers: [worker, consumer({ name: "two" })] }, true],
    ["an ephemeral one came", { consumers: [worker, consumer({ name: "x", durable: false })] }, false],
  ])("%s: news %j", (_what, changes, is) => {
    const sight = sightIn(observation(now(changes)));
    expect(sight !== undefined && isNews(sight, last)).toBe(is);
  });

  const lost = (changes: Partial<StreamFacts>): readonly Loss[] => lossesSince(last, now(changes));

  test.each<[string, Partial<StreamFacts>, readonly string[]]>([
    ["everything is there", {}, []],
    ["it came back empty", { messages: 0, lastSeq: 0 }, ["messages ORDERS"]],
    ["somebody recreated it", { lastSeq: 0, created: "2026-02-01T00:00:00Z" }, []],
    ["the reporting server does not lead it", { lastSeq: 0, leader: "s3" }, []],
    [
      "its consumer starts over on another server",
      { consumers: [{ ...worker, server: "s2", leader: "s2", ackFloor: 7 }] },
      ["position ORDERS > worker"],
    ],
    ["its consumer is a little behind after a crash", { consumers: [{ ...worker, ackFloor: 7 }] }, []],
    ["its consumer starts over", { consumers: [{ ...worker, ackFloor: 0 }] }, ["position ORDERS > worker"]],
  ])("%s", (_what, changes, losses) => {
    expect(lost(changes).map(({ kind, stream, consumer: of }) => `${kind} ${stream}${of ? ` > ${of}` : ""}`)).toEqual(
      losses,
    );
  });

  test("memory assets, mirrors and servers may reset positions", () => {
    const memory = sightIn(observation(now({ storage: "memory" })));
    const mirror = sightIn(observation(now({ config: { mirror: { name: "X" } } })));
    expect([memory?.streams[0]?.lastSeq, mirror?.streams[0]?.lastSeq]).toEqual([undefined, undefined]);
  });

  test("a loss is a finding until acknowledged, and found once", () => {
    const losses = lost({ messages: 0, lastSeq: 0 });
    const [loss] = losses;
    const verdict = assess(observation(), {
      operator,
      unfinishedToggle: false,
      unfinishedChanges: [],
      losses,
    });
    expect(verdict.findings[0]?.message).toMatch(
      /ends at 0; it ended at 10 \(compared with 1970-01-01T00:00:01.000Z, when the account was last healthy\)/,
    );
    const told = (kind: "loss.found" | "loss.acknowledged", at: number): JournalEntry => ({
      at: epochMillis(at),
      job: "j",
      account: ACCOUNT,
      kind,
      data: { losses: [loss] as never },
    });
    expect(newLosses(losses, [], last)).toEqual(losses);
    expect(newLosses(losses, [told("loss.found", 2_000)], last)).toEqual([]);
    const accepted = [told("loss.found", 2_000), told("loss.acknowledged", 3_000)];
    expect(newLosses(losses, accepted, last)).toEqual([]);
    expect(newLosses(losses, accepted, { at: epochMillis(4_000) })).toEqual(losses);
  });
});
