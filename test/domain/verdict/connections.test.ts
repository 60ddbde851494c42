import { describe, expect, test } from "@jest/globals";
import type { Expectations } from "../../../lib/domain/claims/account.ts";
import { domainQuestions, homeDomain } from "../../../lib/domain/observation/domains.ts";
import type {
  AccountView,
  Observation,
  OriginFacts,
  StreamFacts,
} from "../../../lib/domain/observation/observation.ts";
import { millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { settleTime } from "../../../lib/domain/verdict/settling.ts";
import type { Health } from "../../../lib/domain/verdict/verdict.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { ACCOUNT, claims, DEAF, FAILED, observation, operator, runsExpired, server, stream } from "../observations.ts";

const OTHER = `A${"D".repeat(55)}`;
const SYSTEM = `A${"E".repeat(55)}`;
const EDGE: Expectations = { domains: ["edge"], leafnodes: [{ name: "edge-1", domain: "edge" }] };

const verdictOf = (changes: Partial<Observation>, expected: Expectations = { domains: [], leafnodes: [] }) =>
  assess(observation({ domain: "hub", ...changes }), {
    operator: { ...operator, systemAccount: SYSTEM },
    unfinishedToggle: false,
    unfinishedChanges: [],
    expected,
  });
const codesOf = (...order: Parameters<typeof verdictOf>) => {
  const { health: verdict, findings } = verdictOf(...order);
  return { verdict, codes: findings.map(({ code }) => code) };
};

const hubStream = (changes: Partial<StreamFacts>): StreamFacts => stream({ domain: "hub", ...changes });
const copy = (origin: Partial<OriginFacts>, changes: Partial<StreamFacts> = {}): StreamFacts =>
  hubStream({
    name: "COPY",
    subjects: [],
    lastSeq: 7,
    origins: {
      ok: true,
      value: [{ stream: "ORDERS", lag: 0, activeAgo: millis(60_000), later: [], ...origin }],
    },
    ...changes,
  });
/** Milliseconds since a heartbeat and the last received sequence, per reading. */
const readings = (...told: readonly (readonly [number, number])[]): Partial<OriginFacts> => {
  const [first, ...later] = told.map(([ago, taken]) => ({ activeAgo: millis(ago), taken }));
  return { ...first, later };
};
const streams = (...value: StreamFacts[]): Partial<Observation> => ({ streams: { ok: true, value } });
const view = (domains: AccountView["domains"], streamNames = ["ORDERS", "COPY"]): Partial<Observation> => {
  const info = { streams: 2, consumers: 0, limits: {} };
  return {
    accountView: { ok: true, value: { jetstream: "enabled", info, streamNames, failing: [], domains } },
  };
};
const QUIET_EDGE = { stream: "READINGS", domain: "edge" };

describe("mirrors and sources", () => {
  test.each<[string, Partial<Observation>, Health, string[], RegExp | undefined]>([
    [
      "with a heartbeat in each gap and new messages are healthy, whatever they lack",
      streams(hubStream({ lastSeq: 10 }), copy(readings([900, 6], [950, 8], [100, 9]))),
      "healthy",
      [],
      undefined,
    ],
    [
      "with heartbeats and no missing messages are healthy",
      streams(hubStream({ lastSeq: 10 }), copy(readings([900, 10], [0, 10], [700, 10]))),
      "healthy",
      [],
      undefined,
    ],
    [
      "that lack only messages that their origin no longer has are healthy",
      streams(hubStream({ lastSeq: 10, messages: 7 }), copy(readings([900, 7], [0, 7], [700, 7]))),
      "healthy",
      [],
      undefined,
    ],
    [
      "with heartbeats that receive none of the missing messages",
      streams(hubStream({ lastSeq: 10 }), copy(readings([900, 7], [0, 7], [700, 7]))),
      "dead",
      ["stream.stalled"],
      /nothing from ORDERS but heartbeats during the check: it lacks 3 messages/,
    ],
    [
      "that servers have just retried lack heartbeats, if none followed",
      streams(hubStream({ lastSeq: 10 }), copy(readings([100, 7], [1_600, 7], [3_100, 7]))),
      "dead",
      ["stream.stalled"],
      /nothing from ORDERS for 3s: it lacks 3 messages/,
    ],
    [
      "that servers also retried during the check",
      streams(hubStream({ lastSeq: 10 }), copy(readings([9_500, 10], [800, 10], [2_300, 10]))),
      "degraded",
      ["stream.stalled"],
      /it lacks no messages yet/,
    ],
    [
      "without a second reading from their leader are not healthy",
      streams(hubStream({ lastSeq: 10 }), copy({ ...readings([100, 10], [200, 10]), later: [{}, {}] })),
      "degraded",
      ["stream.stalled"],
      /it lacks no messages yet/,
    ],
    [
      "without heartbeats that lack messages are dead",
      streams(hubStream({ lastSeq: 10 }), copy({ taken: 7 })),
      "dead",
      ["stream.stalled"],
      /nothing from ORDERS for 1m: it lacks 3 messages/,
    ],
    [
      "without heartbeats that lack no messages yet are degraded",
      streams(hubStream({ lastSeq: 10 }), copy({ taken: 10 })),
      "degraded",
      ["stream.stalled"],
      /it lacks no messages yet/,
    ],
    [
      "that never heard their origin lack heartbeats",
      streams(
        hubStream({}),
        stream({ ...copy({}), origins: { ok: true, value: [{ stream: "ORDERS", lag: 0, later: [] }] } }),
      ),
      "dead",
      ["stream.stalled"],
      /since its leader was elected: its origin works/,
    ],
    [
      "of a deaf stream are stalled because of it",
      streams(hubStream({ ...DEAF }), copy({ taken: 7 })),
      "dead",
      ["stream.deaf", "stream.stalled"],
      /stalled because its origin ORDERS is deaf/,
    ],
    [
      "of a stream without a leader",
      streams(stream({ ...hubStream({}), leader: undefined } as unknown as StreamFacts), copy({})),
      "degraded",
      ["stream.stalled"],
      /its origin ORDERS has no leader/,
    ],
    [
      "of a missing stream",
      streams(copy({ error: "stream not found" })),
      "dead",
      ["stream.stalled"],
      /\(stream not found\): the origin does not exist/,
    ],
    [
      "of a missing stream, just retried by the servers",
      streams(copy({ error: "stream not found", activeAgo: millis(900) })),
      "dead",
      ["stream.stalled"],
      /\(stream not found\): the origin does not exist/,
    ],
    [
      "of another account are not compared, and the finding says so",
      streams(hubStream({}), copy({ api: "from.other" })),
      "dead",
      ["stream.stalled"],
      /ORDERS behind from\.other .*it is unknown what is missing/,
    ],
    [
      "without a report from the leader are unknown",
      streams(hubStream({}), copy({}, { origins: FAILED })),
      "unknown",
      ["probe.failed"],
      /the origins of stream COPY/,
    ],
  ])("%s", (_what, changes, verdict, codes, said) => {
    const seen = verdictOf({ ...view([]), ...changes });
    expect({ verdict: seen.health, codes: seen.findings.map(({ code }) => code) }).toEqual({
      verdict,
      codes,
    });
    if (said !== undefined) expect(seen.findings.at(-1)?.message).toMatch(said);
  });

  test("of an expired account are stalled because of that", () => {
    const running = runsExpired();
    const stored = { ok: true, value: undefined } as const;
    const { findings } = verdictOf({
      ...streams(hubStream({}), copy({ taken: 7 })),
      stored,
      running,
      ...view([]),
    });
    expect(findings.at(-1)).toMatchObject({
      code: "stream.stalled",
      health: "degraded",
      message: expect.stringContaining("because the account has expired"),
    });
  });

  test("of another domain are compared with what the account's API reports there", () => {
    const quiet = copy({ ...QUIET_EDGE, taken: 7 });
    const told = (lastSeq: number) =>
      view([
        {
          domain: "edge",
          jetstream: "enabled",
          origins: [{ stream: "READINGS", answer: "found", messages: lastSeq, firstSeq: 1, lastSeq }],
        },
      ]);
    expect(codesOf({ ...streams(hubStream({}), quiet), ...told(9) })).toEqual({
      verdict: "dead",
      codes: ["stream.stalled"],
    });
    expect(codesOf({ ...streams(hubStream({}), quiet), ...told(7) }).verdict).toBe("degraded");
    const stuck = copy({ ...QUIET_EDGE, ...readings([900, 7], [0, 7], [700, 7]) });
    expect(codesOf({ ...streams(hubStream({}), stuck), ...told(9) }).codes).toEqual(["stream.stalled"]);
    expect(codesOf({ ...streams(hubStream({}), stuck), ...told(7) }).verdict).toBe("healthy");
  });

  test("of another domain with visible servers are compared with those, not with a namesake here", () => {
    const there = stream({ domain: "edge", name: "ORDERS", lastSeq: 7, server: "e1" });
    const seen = { ...streams(hubStream({ lastSeq: 99 }), copy({ domain: "edge", taken: 7 })), ...view([]) };
    const { findings } = verdictOf({ ...seen, elsewhere: { ok: true, value: [there] } });
    expect(findings).toMatchObject([{ code: "stream.stalled", health: "degraded" }]);
  });
});

describe("domains", () => {
  const silent = view([{ domain: "edge", jetstream: "silent", message: "nobody answers", origins: [] }]);
  const here = streams(hubStream({}), hubStream({ name: "COPY" }));
  test.each<[string, Partial<Observation>, Expectations, Health, string[]]>([
    ["expected and silent", { ...here, ...silent }, { domains: ["edge"], leafnodes: [] }, "dead", ["domain.silent"]],
    [
      "expected, without JetStream",
      { ...here, ...view([{ domain: "edge", jetstream: "disabled", origins: [] }]) },
      { domains: ["edge"], leafnodes: [] },
      "dead",
      ["domain.disabled"],
    ],
    [
      "expected, that may not be asked",
      { ...here, ...view([{ domain: "edge", jetstream: "unknown", origins: [] }]) },
      { domains: ["edge"], leafnodes: [] },
      "unknown",
      ["probe.failed"],
    ],
    [
      "expected, and no key to ask with",
      { ...here, accountView: { ok: "not-asked", why: "no key" } },
      { domains: ["edge"], leafnodes: [] },
      "unknown",
      ["probe.failed"],
    ],
    ["the home domain needs no request", { ...here, ...view([]) }, { domains: ["hub"], leafnodes: [] }, "healthy", []],
    [
      "silent, but its copies receive messages",
      { ...streams(hubStream({}), copy({ ...QUIET_EDGE, activeAgo: millis(500) })), ...silent },
      { domains: [], leafnodes: [] },
      "healthy",
      [],
    ],
    [
      "silent, and its copies receive nothing",
      { ...streams(hubStream({}), copy(QUIET_EDGE)), ...silent },
      { domains: [], leafnodes: [] },
      "dead",
      ["domain.silent", "stream.stalled"],
    ],
  ])("%s", (_what, changes, expected, verdict, codes) => {
    expect(codesOf(changes, expected)).toEqual({ verdict, codes });
  });

  test("a domain also counts as seen if its servers answer the same system account", () => {
    const servers = [server({ domain: "hub" }), server({ id: "N2", name: "edge-1", domain: "edge", topology: "leaf" })];
    const loaded = {
      loaded: true,
      expired: false,
      signatureValid: true,
      jetstream: true,
      document: claims(),
    } as const;
    const running: Observation["running"] = {
      ok: true,
      value: [
        { server: "s1", ...loaded },
        { server: "edge-1", ...loaded },
      ],
    };
    const accountView = { ok: "not-asked", why: "no key" } as const;
    expect(codesOf({ ...here, servers, running, accountView }, { domains: ["edge"], leafnodes: [] }).codes).toEqual([]);
  });

  test("streams elsewhere are checked, and need not be in the API's list here", () => {
    const there = stream({ domain: "edge", name: "READINGS", server: "edge-1" });
    const seen = { ...streams(hubStream({})), ...view([], ["ORDERS"]) };
    expect(codesOf({ ...seen, elsewhere: { ok: true, value: [there] } })).toEqual({
      verdict: "healthy",
      codes: [],
    });
    expect(codesOf({ ...seen, elsewhere: { ok: true, value: [{ ...there, ...DEAF }] } }).codes).toEqual([
      "stream.deaf",
    ]);
    expect(codesOf({ ...seen, elsewhere: FAILED })).toEqual({ verdict: "unknown", codes: ["probe.failed"] });
  });

  test("the requests: other domains that are expected or copied from, and only unseen streams", () => {
    const seen = {
      streams: {
        ok: true,
        value: [
          copy({ stream: "A", domain: "edge" }),
          copy({ stream: "B", domain: "far" }),
          copy({ stream: "C", domain: "hub" }),
          copy({ api: "x.y" }),
        ],
      },
      elsewhere: { ok: true, value: [stream({ domain: "far", name: "B" })] },
    } as const;
    expect(domainQuestions(seen, "hub", ["hub", "own"])).toEqual([
      { domain: "own", origins: [] },
      { domain: "edge", origins: ["A"] },
    ]);
  });

  test.each([
    [
      "that of the server at the other end",
      [server({ domain: "hub" }), server({ id: "N2", domain: "edge" })],
      "N2",
      "edge",
    ],
    [
      "that of its cluster, if it has no JetStream",
      [
        server({ domain: "edge", cluster: "e" }),
        server({ id: "N2", jetstream: false, cluster: "c" }),
        server({ id: "N3", cluster: "c", domain: "hub" }),
      ],
      "N2",
      "hub",
    ],
    ["none if there is none", [server()], "N1", undefined],
  ])("the home domain is %s", (_what, servers, connected, home) => {
    expect(homeDomain(servers, connected)).toBe(home);
  });
});

describe("leafnodes", () => {
  const NO_DOMAIN: Expectations = { domains: [], leafnodes: [{ name: "edge-1" }] };
  const bound = (...accounts: string[]): Partial<Observation> => ({
    leafnodes: { ok: true, value: accounts.map((account) => ({ server: "s1", account, name: "edge-1" })) },
  });
  test.each<[string, Partial<Observation>, Health, string[], RegExp | undefined]>([
    ["bound to the account", bound(ACCOUNT), "healthy", [], undefined],
    ["bound to it and to the system account", bound(SYSTEM, ACCOUNT), "healthy", [], undefined],
    ["bound to it and, by another remote, elsewhere", bound(OTHER, ACCOUNT), "healthy", [], undefined],
    [
      "bound to another",
      bound(OTHER),
      "dead",
      ["leaf.wrong_account"],
      /bound to account ADDD.*credentials of its remote decide/,
    ],
    ["bound to $G", bound("$G"), "dead", ["leaf.wrong_account"], /without an operator ignores \.creds/],
    ["bound to the system account only", bound(SYSTEM), "dead", ["leaf.missing"], /is not connected/],
    ["not there", bound(), "dead", ["leaf.missing"], /never binds.*relight explain/],
    [
      "without a name (2.9.10)",
      { leafnodes: { ok: true, value: [{ server: "s1", account: ACCOUNT }] } },
      "unknown",
      ["probe.failed"],
      /does not report the names of leafnodes/,
    ],
    ["without a readable list", { leafnodes: FAILED }, "unknown", ["probe.failed"], undefined],
  ])("%s", (_what, changes, verdict, codes, said) => {
    const seen = verdictOf(changes, NO_DOMAIN);
    expect({ verdict: seen.health, codes: seen.findings.map(({ code }) => code) }).toEqual({
      verdict,
      codes,
    });
    if (said !== undefined) expect(seen.findings[0]?.message).toMatch(said);
  });

  test("unexpected ones are no finding; the account's own are named", () => {
    const seen = verdictOf({ ...bound(ACCOUNT, OTHER) });
    expect(seen).toMatchObject({ health: "healthy", leafnodes: [{ name: "edge-1", account: ACCOUNT }] });
    expect(verdictOf({ leafnodes: FAILED }).health).toBe("healthy");
  });

  test("are the cause of stalled copies behind them", () => {
    const seen = { ...streams(hubStream({}), copy(QUIET_EDGE)), ...bound(OTHER) };
    const silent = view([{ domain: "edge", jetstream: "silent", origins: [] }]);
    const { findings } = verdictOf({ ...seen, ...silent }, EDGE);
    expect(findings.map(({ code }) => code)).toEqual(["leaf.wrong_account", "domain.silent", "stream.stalled"]);
    expect(findings[2]).toMatchObject({
      health: "degraded",
      message: expect.stringMatching(/stalled because leafnode edge-1/),
    });
  });
});

test("faults that clear by themselves are awaited, unless something else is dead or the account has expired", () => {
  const quiet = streams(hubStream({ lastSeq: 10 }), copy({ taken: 7 }));
  expect(settleTime(verdictOf({ ...quiet, ...view([]) }), TIMING)).toBe(30_000);
  expect(settleTime(verdictOf({ ...streams(hubStream(DEAF), copy({ taken: 7 })), ...view([]) }), TIMING)).toBe(1_000);
  expect(settleTime(verdictOf({}), TIMING)).toBeUndefined();
  const expired = verdictOf({
    stored: { ok: true, value: undefined },
    running: runsExpired(),
  });
  expect(settleTime(expired, TIMING)).toBeUndefined();
});
