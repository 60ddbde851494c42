import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { claimsInForce } from "../../../lib/domain/claims/claims-in-force.ts";
import type { Observation } from "../../../lib/domain/observation/observation.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { describeSubject, FINDINGS, type Health, verdictJson, worst } from "../../../lib/domain/verdict/verdict.ts";
import {
  ACCOUNT,
  claims,
  consumer,
  DEAF,
  FAILED,
  forgotten,
  NOW,
  observation,
  operator,
  server,
  stream,
} from "../observations.ts";

const verdictOf = (changes: Partial<Observation>, unfinishedToggle = false) =>
  assess(observation(changes), { operator, unfinishedToggle, unfinishedChanges: [] });

const running = (changes: object = {}, document = claims()) =>
  ({
    ok: true,
    value: [
      {
        server: "s1",
        loaded: true,
        expired: false,
        signatureValid: true,
        jetstream: true,
        document,
        ...changes,
      },
    ],
  }) as Observation["running"];
const stored = (document = claims(), signatureValid = true): Observation["stored"] => ({
  ok: true,
  value: { document, signatureValid },
});
const HOLDS_NOTHING: Observation["stored"] = { ok: true, value: undefined };
const streams = (...value: ReturnType<typeof stream>[]): Observation["streams"] => ({ ok: true, value });

const UNREADABLE = { ok: false, code: "claims.unreadable", message: "s1 runs claims" } as const;

/** Of a consumer to whose subject servers deliver by themselves. */
const PUSHES = { deliver_subject: "audit.in", ack_policy: "none" };
/** JetStream is off for the account on s1, which is in a cluster with s2. */
const offOnOne = (off?: readonly string[]): Partial<Observation> => ({
  servers: ["s1", "s2"].map((name) => server({ name })),
  running: running({ jetstream: false }),
  streams: streams(),
  meta: {
    ok: true,
    value: { leader: "s2", size: 2, peers: [{ name: "s1", current: true, offline: false }], ...defined({ off }) },
  },
});

describe("the verdict", () => {
  test("a deaf consumer that its client has left is a warning", () => {
    const left = consumer({ name: "watcher", heard: { ok: true, value: false }, config: PUSHES, abandoned: true });
    const message =
      "JetStream does not listen for consumer ORDERS > watcher, which its client has left: nobody misses it";
    expect(verdictOf({ streams: streams(stream({ consumers: [left] })) })).toMatchObject({
      health: "healthy",
      findings: [],
      warnings: [{ code: "consumer.abandoned", subject: { stream: "ORDERS", consumer: "watcher" }, message }],
    });
  });

  test("of a healthy account", () => {
    expect(verdictOf({})).toMatchObject({
      health: "healthy",
      depth: "account",
      findings: [],
      diagnosis: [],
      warnings: [],
      streams: 1,
      consumers: 1,
    });
  });

  test.each<[string, Partial<Observation>, Health, string[]]>([
    [
      "expired, according to the server and the clock",
      { running: running({ expired: true }, claims({ exp: NOW - 1 })), stored: HOLDS_NOTHING },
      "dead",
      ["account.expired"],
    ],
    [
      "refused by the server though its claims are valid",
      { running: running({ expired: true }), stored: HOLDS_NOTHING },
      "dead",
      ["account.deleted"],
    ],
    [
      "expired, according to the clock",
      { running: running({}, claims({ exp: NOW })), stored: stored(claims({ exp: NOW })) },
      "dead",
      ["account.expired"],
    ],
    ["missing in the resolver", { stored: { ok: true, value: undefined } }, "degraded", ["account.not_in_resolver"]],
    [
      "a server's clock that is wrong",
      { servers: [server({ clockSkew: millis(-61_000) })] },
      "degraded",
      ["server.clock_skew"],
    ],
    ["a server's clock that is slightly wrong", { servers: [server({ clockSkew: millis(60_000) })] }, "healthy", []],
    [
      "a server that is said to run a forged JWT, and no other",
      { running: running({ signatureValid: false }), stored: { ok: true, value: undefined } },
      "unknown",
      ["claims.untrusted"],
    ],
    [
      "a server that is said to run a JWT of another issuer's",
      { running: running({}, claims({ iss: "O".repeat(56) })), stored: { ok: true, value: undefined } },
      "unknown",
      ["claims.untrusted"],
    ],
    [
      "a server that is said to run another account's JWT",
      { running: running({}, claims({ sub: `A${"Z".repeat(55)}` })), stored: { ok: true, value: undefined } },
      "unknown",
      ["claims.untrusted"],
    ],
    [
      "a server that is said to run a forged JWT, newer than the resolver's",
      { running: running({ signatureValid: false }, claims({ iat: NOW, jti: "FORGED" })) },
      "degraded",
      ["claims.untrusted", "claims.drift"],
    ],
    ["a forged JWT in the resolver", { stored: stored(claims(), false) }, "degraded", ["claims.untrusted"]],
    ["a stranger's JWT in the resolver", { stored: stored(claims({ iss: "OX" })) }, "degraded", ["claims.untrusted"]],
    ["newer claims in the resolver", { stored: stored(claims({ jti: "J2", iat: NOW })) }, "degraded", ["claims.drift"]],
    [
      "other claims of the same id in the resolver",
      { stored: stored(claims({ name: "X" })) },
      "degraded",
      ["claims.drift"],
    ],
    ["JetStream off against the claims", { running: running({ jetstream: false }) }, "dead", ["jetstream.not_enabled"]],
    ["JetStream off on a server that has turned its own off", offOnOne(["s1"]), "degraded", ["jetstream.not_enabled"]],
    ["JetStream off on a server beside one that has", offOnOne(["s2"]), "dead", ["jetstream.not_enabled"]],
    ["JetStream off on a server of a cluster", offOnOne(), "dead", ["jetstream.not_enabled"]],
    ["a deaf stream", { streams: streams(stream(DEAF)) }, "dead", ["stream.deaf"]],
    [
      "a deaf consumer",
      { streams: streams(stream({ consumers: [consumer({ heard: { ok: true, value: false } })] })) },
      "dead",
      ["consumer.deaf"],
    ],
    [
      "a deaf consumer that pushes and wants no acknowledgments",
      { streams: streams(stream({ consumers: [consumer({ heard: { ok: true, value: false }, config: PUSHES })] })) },
      "degraded",
      ["consumer.deaf"],
    ],
    [
      "a deaf consumer that pushes and waits for acknowledgments",
      {
        streams: streams(
          stream({
            consumers: [consumer({ heard: { ok: true, value: false }, config: { ...PUSHES, ack_policy: "all" } })],
          }),
        ),
      },
      "dead",
      ["consumer.deaf"],
    ],
    [
      "an unknown account",
      { stored: { ok: true, value: undefined }, running: { ok: true, value: [] }, streams: streams() },
      "unknown",
      ["account.not_found"],
    ],
    ["no probe of the claims in force", { running: FAILED }, "unknown", ["probe.failed"]],
    ["running claims that can't be read", { running: UNREADABLE }, "unknown", ["claims.unreadable"]],
    ["claims in the resolver that can't be read", { stored: UNREADABLE }, "unknown", ["claims.unreadable"]],
    [
      "an expiry that is too large for servers",
      {
        stored: stored(claims({ exp: NOW + 10 ** 10 })),
        running: running({}, claims({ exp: NOW + 10 ** 10 })),
      },
      "unknown",
      ["claims.uncountable"],
    ],
    ["no probe of the resolver", { stored: FAILED }, "unknown", ["probe.failed"]],
    ["no probe of the streams", { streams: FAILED }, "unknown", ["probe.failed"]],
    ["no probe of one stream", { streams: streams(stream({ deafSubjects: FAILED })) }, "unknown", ["probe.failed"]],
    [
      "no probe of a consumer",
      { streams: streams(stream({ consumers: [consumer({ heard: FAILED })] })) },
      "unknown",
      ["probe.failed"],
    ],
    ["no account view", { accountView: FAILED }, "unknown", ["probe.failed"]],
    [
      "dead and unknown at once is dead",
      { streams: streams(stream(DEAF)), accountView: FAILED },
      "dead",
      ["stream.deaf", "probe.failed"],
    ],
    ["no NATS-based resolver is no failure", { stored: { ...FAILED, code: "nats.no_resolver" } }, "healthy", []],
  ])("%s", (_what, changes, verdict, codes) => {
    const result = verdictOf(changes);
    expect({ verdict: result.health, codes: result.findings.map(({ code }) => code) }).toEqual({
      verdict,
      codes,
    });
  });

  test("an account loaded nowhere is idle if it never had streams, and unknown without its key if it had", () => {
    const nowhere: Partial<Observation> = {
      running: { ok: true, value: [{ server: "s1", loaded: false }] },
      streams: streams(),
    };
    const unseen = { ...nowhere, accountView: { ok: "not-asked", why: "no key" } } as const;
    expect(verdictOf(unseen)).toMatchObject({
      health: "healthy",
      depth: "system",
      findings: [],
      warnings: [{ code: "account.idle" }],
    });
    const sight = { at: epochMillis(NOW), whole: true, streams: [{ name: "ORDERS", servers: ["s1"] }] };
    const standards = { operator, unfinishedToggle: false, unfinishedChanges: [], sight };
    expect(assess(observation(unseen), standards)).toMatchObject({
      health: "unknown",
      findings: [{ code: "account.not_loaded", message: expect.stringContaining("ORDERS") }],
    });
    const view = {
      jetstream: "enabled",
      info: { streams: 0, consumers: 0, limits: {} },
      streamNames: [],
      failing: [],
      domains: [],
    } as const;
    expect(verdictOf({ ...nowhere, accountView: { ok: true, value: view } }).health).toBe("healthy");
    // Without JetStream in its claims nothing can be dead.
    const plain = claims({}, { mem_storage: 0, disk_storage: 0 });
    expect(verdictOf({ ...nowhere, stored: stored(plain), accountView: { ok: "not-asked", why: "" } }).health).toBe(
      "healthy",
    );
  });

  describe("an account to which the API says that it has no JetStream", () => {
    const plain = claims({}, { mem_storage: 0, disk_storage: 0 });
    const refused = (jetstream: "disabled" | "account_not_found"): Observation["accountView"] => ({
      ok: true,
      value: {
        jetstream,
        info: { streams: 0, consumers: 0, limits: {} },
        streamNames: [],
        failing: [],
        domains: [],
      },
    });
    const without: Partial<Observation> = {
      stored: stored(plain),
      running: running({ jetstream: false }, plain),
      streams: streams(),
      accountView: refused("disabled"),
    };
    const one = { loaded: true, expired: false, signatureValid: true } as const;
    const both: Observation["running"] = {
      ok: true,
      value: [
        { ...one, server: "s1", jetstream: false, document: plain },
        { ...one, server: "s2", jetstream: true, document: claims({ jti: "J0" }) },
      ],
    };

    test.each<[string, Partial<Observation>, Health, string[]]>([
      ["without JetStream in its claims", {}, "healthy", []],
      ["without JetStream in its claims, and not found", { accountView: refused("account_not_found") }, "healthy", []],
      ["without the key of the account", { accountView: { ok: "not-asked", why: "no key" } }, "healthy", []],
      ["with JetStream in its claims, and on", { stored: stored(), running: running() }, "unknown", ["probe.failed"]],
      [
        "with JetStream in its claims, and on, but not found",
        { stored: stored(), running: running(), accountView: refused("account_not_found") },
        "unknown",
        ["probe.failed"],
      ],
      [
        "with JetStream in its claims, and off",
        { stored: stored(), running: running({ jetstream: false }) },
        "dead",
        ["jetstream.not_enabled"],
      ],
      [
        "with JetStream only in the resolver's claims",
        { stored: stored() },
        "unknown",
        ["claims.drift", "probe.failed"],
      ],
      ["with JetStream on one of two servers", { running: both }, "unknown", ["claims.drift", "probe.failed"]],
      ["with JetStream still on", { running: running({}, plain) }, "unknown", ["probe.failed"]],
      ["with streams that servers still hold", { streams: streams(stream()) }, "unknown", ["probe.failed"]],
      ["with streams in another domain", { elsewhere: streams(stream()) }, "unknown", ["probe.failed"]],
      ["without an answer about streams", { streams: FAILED }, "unknown", ["probe.failed", "probe.failed"]],
      [
        "without any known claims",
        { stored: HOLDS_NOTHING, running: { ok: true, value: [] } },
        "unknown",
        ["account.not_found", "probe.failed"],
      ],
    ])("%s", (_what, changes, health, codes) => {
      const seen = verdictOf({ ...without, ...changes });
      expect({ health: seen.health, codes: seen.findings.map(({ code }) => code) }).toEqual({ health, codes });
    });

    test("with streams when it was last healthy: JetStream was taken away, and they can't be checked", () => {
      const sight = { at: epochMillis(NOW), whole: true, streams: [{ name: "ORDERS", servers: ["s1"] }] };
      const standards = { operator, unfinishedToggle: false, unfinishedChanges: [], sight };
      expect(assess(observation(without), standards)).toMatchObject({
        health: "unknown",
        findings: [
          {
            code: "probe.failed",
            message: "could not check JetStream as the account: $JS.API.INFO: JetStream not enabled for account",
          },
        ],
      });
    });
  });

  test("a stream that the account's API omits or does not answer for is dead", () => {
    const view = {
      jetstream: "enabled",
      info: { streams: 1, consumers: 0, limits: {} },
      streamNames: [],
      failing: [{ stream: "ORDERS", notFound: false, message: "timeout" }],
      domains: [],
    } as const;
    const { findings, health: verdict } = verdictOf({ accountView: { ok: true, value: view } });
    expect(findings.map(({ code }) => code)).toEqual(["stream.failing", "stream.unlisted"]);
    expect(verdict).toBe("dead");
  });

  test("an open toggle is dead, however healthy the rest looks", () => {
    expect(verdictOf({}, true)).toMatchObject({ health: "dead", findings: [{ code: "remedy.unfinished" }] });
  });

  test("names the server's defect if its symptoms are seen on an affected version", () => {
    const deaf = { streams: streams(stream(DEAF)) };
    expect(verdictOf(deaf).diagnosis).toEqual([
      expect.stringContaining("2.10.27 has nats-server #6806"),
      expect.stringContaining("$JS.API.INFO reports"),
    ]);
    expect(verdictOf({ ...deaf, servers: [server({ version: "2.15.1" })] }).diagnosis).toEqual([
      expect.stringContaining("$JS.API.INFO"),
    ]);
    expect(verdictOf({}).diagnosis).toEqual([]);
  });
});

describe("a failed probe", () => {
  /** A healthy, a faulty and a failed result for each probe; any combination is an observation. */
  const parts = {
    stored: [observation().stored, stored(claims(), false), { ok: true, value: undefined }, FAILED],
    running: [
      observation().running,
      { ok: true, value: [] },
      { ok: true, value: [{ server: "s1", loaded: false }] },
      FAILED,
    ],
    streams: [
      observation().streams,
      streams(),
      FAILED,
      streams(stream({ deafSubjects: FAILED })),
      streams(stream({ consumers: [consumer({ heard: FAILED })] })),
      streams(stream({ directGets: FAILED })),
      streams(stream({ mirrorDirect: FAILED })),
    ],
    accountView: [observation().accountView, { ok: "not-asked", why: "no key" }, FAILED],
  } as const satisfies { [K in keyof Observation]?: readonly Observation[K][] };
  const anyObservation = fc.record({
    stored: fc.constantFrom<Observation["stored"][]>(...parts.stored),
    running: fc.constantFrom<Observation["running"][]>(...parts.running),
    streams: fc.constantFrom<Observation["streams"][]>(...parts.streams),
    accountView: fc.constantFrom<Observation["accountView"][]>(...parts.accountView),
    servers: fc.constantFrom([], [server()], [server(), server({ name: "s2", topology: "unknown" })]),
  });

  test("is never taken for dead or healthy", () => {
    fc.assert(
      fc.property(anyObservation, (changes) => {
        // The account's view lacks the streams that the servers run: the only dead finding in these parts.
        fc.pre(!(changes.accountView.ok === true && changes.streams.ok && changes.streams.value.length === 0));
        const { health: verdict, findings } = verdictOf(changes);
        const failed = JSON.stringify(changes).includes('"nats.timeout"');
        expect(verdict).not.toBe("dead");
        expect(findings.map(({ health }) => health)).not.toContain("dead");
        if (failed) expect(verdict).toBe("unknown");
        expect(findings.some(({ code }) => code === "probe.failed")).toBe(failed);
      }),
    );
  });

  test("says what could not be checked, and why", () => {
    expect(verdictOf({ streams: streams(stream({ deafSubjects: FAILED })) }).findings).toEqual([
      {
        code: "probe.failed",
        health: "unknown",
        subject: { server: "s1", stream: "ORDERS" },
        message: "could not check the subjects of stream ORDERS: no answer",
        evidence: { error: "nats.timeout" },
      },
    ]);
  });

  test("does not hide what another one proved", () => {
    expect(verdictOf({ streams: streams(stream(DEAF)), stored: FAILED, accountView: FAILED }).health).toBe("dead");
  });
});

test("a forgotten consumer is dead and has its position; an ephemeral one is no loss", () => {
  const {
    health: verdict,
    findings,
    diagnosis,
  } = verdictOf({
    streams: streams(stream({ forgotten: [forgotten(), forgotten({ name: "passing", durable: false })] })),
  });
  expect({ verdict, diagnosis }).toEqual({ verdict: "dead", diagnosis: [expect.stringMatching(/by hand/)] });
  expect(findings).toEqual([
    {
      code: "consumer.forgotten",
      health: "dead",
      subject: { server: "s1", stream: "ORDERS", consumer: "worker" },
      message: "the cluster has forgotten consumer ORDERS > worker; s1 still holds it, at message 7",
      evidence: { probe: "CONSUMER.INFO", ackFloor: 7, config: { durable_name: "worker" } },
    },
  ]);
});

/** Those of the source of truth, and of assets that no server holds, have their own tests. */
const ELSEWHERE = /^(source\.|limit\.|(stream|consumer)\.(unheld|no_|replica_)|server\.away)/;

test("every finding code occurs somewhere above", () => {
  const worlds: [Partial<Observation>, boolean?][] = [
    [
      {
        running: running({ expired: true }, claims({ exp: NOW - 1 })),
        servers: [server({ version: "2.10.20", topology: "clustered" })],
      },
    ],
    [{}, true],
    [{ running: UNREADABLE }],
    [{ running: running({}, claims({ exp: NOW + 10 ** 10 })) }],
    [{ running: running({ expired: true }) }],
    [{ running: running({}, claims({ exp: NOW - 1 })), stored: HOLDS_NOTHING }],
    [{ stored: { ok: true, value: undefined }, running: { ok: true, value: [] } }],
    [{ stored: { ok: true, value: undefined } }],
    [{ running: { ok: true, value: [] }, accountView: { ok: "not-asked", why: "" } }],
    [{ stored: stored(claims({ jti: "J2", iat: NOW })) }],
    [{ stored: stored(claims(), false) }],
    [{ servers: [server({ clockSkew: millis(99_000) })] }],
    [{ running: running({ jetstream: false }) }],
    [{ streams: streams(stream({ ...DEAF, consumers: [consumer({ heard: { ok: true, value: false } })] })) }],
    [
      {
        streams: streams(
          stream({ directGets: { ok: true, value: { heardOn: [], deafOn: ["s1"] } } }),
          stream({ directGets: { ok: true, value: { heardOn: ["s2"], deafOn: ["s1"] } } }),
          stream({ directGets: { ok: true, value: { heardOn: ["s1"], deafOn: [], strayOn: ["s2"] } } }),
          stream({ runsTwice: true }),
          stream({ differing: [{ server: "s2", lastSeq: 8, leaderSeq: 1 }] }),
          stream({ mirrorDirect: { ok: true, value: "broken" } }),
          stream({ deafImports: { ok: true, value: ["data.>"] } }),
        ),
      },
    ],
    [{ streams: FAILED }],
    [{ streams: streams(stream({ forgotten: [forgotten()] })) }],
    [
      {
        streams: streams(stream({ nodeMissingOn: ["s1"], consumers: [consumer({ nodeMissingOn: ["s1"] })] })),
      },
    ],
    [
      {
        accountView: {
          ok: true,
          value: {
            jetstream: "enabled",
            info: { streams: 1, consumers: 0, limits: {} },
            streamNames: [],
            failing: [{ stream: "X", notFound: false, message: "" }],
            domains: [],
          },
        },
      },
    ],
  ];
  const beyond = assess(
    observation({
      streams: streams(stream({ origins: { ok: true, value: [{ stream: "X", lag: 0, later: [] }] } })),
      leafnodes: { ok: true, value: [{ server: "s1", account: "$G", name: "edge-2" }] },
      accountView: {
        ok: true,
        value: {
          jetstream: "enabled",
          info: { streams: 1, consumers: 0, limits: {} },
          streamNames: ["ORDERS"],
          failing: [],
          domains: [
            { domain: "a", jetstream: "silent", origins: [] },
            { domain: "b", jetstream: "disabled", origins: [] },
          ],
        },
      },
    }),
    {
      operator,
      unfinishedToggle: false,
      unfinishedChanges: [],
      unproved: [{ at: epochMillis(0), job: "j", account: "-", kind: "toggle.opened", data: {} }],
      expected: { domains: ["a", "b"], leafnodes: [{ name: "edge-1" }, { name: "edge-2" }] },
    },
  );
  const found = worlds.flatMap(([changes, open]) => verdictOf(changes, open).findings.map(({ code }) => code));
  const gone = assess(observation({}), {
    operator,
    unfinishedToggle: false,
    unfinishedChanges: [],
    presence: { state: "gone", claims: claims(), known: undefined },
  });
  const ordered = { at: epochMillis(0), how: "ordered", iat: NOW } as const;
  const kept = assess(observation(), {
    operator,
    unfinishedToggle: false,
    unfinishedChanges: [],
    presence: { state: "here", kept: { ordered, by: ["the resolver", "s1"] } },
  });
  expect(kept.findings[0]?.message).toMatch(
    /^the operator ordered its deletion .*, but the resolver, s1 still have it: .*; delete it again .* --undelete`$/,
  );
  const system = assess(observation(), {
    operator: { ...operator, systemAccount: ACCOUNT },
    unfinishedToggle: false,
    unfinishedChanges: [],
  });
  expect(system).toMatchObject({ health: "dead", findings: [{ code: "claims.no_start" }] });
  const mirror = stream({
    name: "COPY",
    lastSeq: 11,
    config: { name: "COPY", mirror: { name: "ORDERS" } },
    origins: { ok: true, value: [{ stream: "ORDERS", lag: 0, later: [{ taken: 11 }] }] },
  });
  const lost = [{ stream: "GONE", kind: "gone", message: "stream GONE is gone" }] as const;
  const after = assess(observation({ streams: streams(stream(), mirror) }), {
    operator,
    unfinishedToggle: false,
    unfinishedChanges: [],
    pushed: {
      at: epochMillis(NOW * 1000),
      jti: "J2",
      iat: NOW,
      exp: undefined,
      purpose: "renewal",
      ends: [],
      changed: new Map(),
    },
    losses: lost,
  });
  const all = [
    ...found,
    ...[...beyond.findings, ...after.findings, ...kept.findings, ...gone.findings, ...system.findings].map(
      ({ code }) => code,
    ),
  ];
  expect(new Set(all)).toEqual(new Set(Object.keys(FINDINGS).filter((code) => !ELSEWHERE.test(code))));
});

test("JetStream that a server lacks or the claims exclude is not missing", () => {
  const off = running({ jetstream: false });
  expect(verdictOf({ running: off, servers: [server({ jetstream: false })] }).health).toBe("healthy");
  const plain = claims({}, { mem_storage: 0, disk_storage: 0 });
  expect(verdictOf({ running: running({ jetstream: false }, plain), stored: stored(plain) }).health).toBe("healthy");
});

test("does not change the observation", () => {
  const look = observation({ streams: streams(stream(DEAF)) });
  const before = structuredClone(look);
  assess(look, { operator, unfinishedToggle: true, unfinishedChanges: [] });
  expect(look).toEqual(before);
});

test.each([
  [{}, "the account"],
  [{ server: "s1" }, "on s1"],
  [{ stream: "ORDERS", server: "s1" }, "ORDERS on s1"],
  [{ stream: "ORDERS", consumer: "worker" }, "ORDERS > worker"],
])("%j reads as %s", (subject, text) => {
  expect(describeSubject(subject)).toBe(text);
});

describe("the claims in force", () => {
  test("are the running ones if the resolver has none, and none if there are none", () => {
    expect(claimsInForce(observation({ stored: FAILED }), operator)?.claims.jti).toBe("J1");
    expect(claimsInForce(observation({ stored: FAILED, running: FAILED }), operator)).toBeUndefined();
    const strict = { ...operator, strictSigningKeyUsage: true };
    expect(claimsInForce(observation({ running: FAILED }), strict)).toBeUndefined();
  });

  test("are the newest ones, but never any that no trusted issuer signed", () => {
    const newer = claims({ jti: "J2", iat: NOW });
    expect(claimsInForce(observation({ stored: stored(newer) }), operator)?.claims.jti).toBe("J2");
    expect(claimsInForce(observation({ stored: stored(newer, false) }), operator)?.claims.jti).toBe("J1");
    const foreign = claims({ jti: "J3", iat: NOW, iss: "OX" });
    expect(claimsInForce(observation({ stored: stored(foreign) }), operator)?.claims.jti).toBe("J1");
  });
});

test("dead outranks unknown, unknown outranks degraded, and an empty list is healthy", () => {
  expect(worst(["degraded", "unknown", "dead"])).toBe("dead");
  expect(worst(["degraded", "unknown", "healthy"])).toBe("unknown");
  expect(worst(["degraded", "healthy"])).toBe("degraded");
  expect(worst([])).toBe("healthy");
});

describe("a restart while the account is expired", () => {
  const expired = running({ expired: true }, claims({ exp: NOW - 1 }));
  const on = (version: string, topology: "clustered" | "standalone" = "clustered") =>
    verdictOf({
      running: expired,
      stored: HOLDS_NOTHING,
      servers: [server({ version, topology })],
    }).findings.map(({ code }) => code);

  test("has a warning on versions whose damaged servers panic, and on untested ones", () => {
    for (const version of ["2.10.11", "2.10.16", "2.10.20", "2.10.22", "unknown"])
      expect(on(version)).toEqual(["account.expired", "server.restart_panics"]);
  });

  test("causes no panic elsewhere, without a cluster, or after the renewal", () => {
    for (const version of ["2.9.25", "2.10.10", "2.10.23", "2.10.27", "2.11.0", "2.15.1"])
      expect(on(version)).toEqual(["account.expired"]);
    expect(on("2.10.20", "standalone")).toEqual(["account.expired"]);
    expect(verdictOf({ servers: [server({ version: "2.10.20", topology: "clustered" })] }).findings).toEqual([]);
  });

  test("needs later restarts in order: the meta leader last", () => {
    const servers = ["s1", "s2"].map((name) => server({ name, id: name, version: "2.10.20", topology: "clustered" }));
    const meta: Observation["meta"] = { ok: true, value: { leader: "s2", size: 2, peers: [] } };
    const { diagnosis } = verdictOf({
      servers,
      meta,
      streams: streams(stream({ nodeMissingOn: ["s1", "s2"] })),
    });
    expect(diagnosis).toContainEqual(expect.stringMatching(/2\.10\.20 \(s1, s2\) panic .*meta leader, now s2, last/));
  });
});

test("the JSON key of the health is `verdict`, in the journal, pages, events and --json", () => {
  const verdict = verdictOf({});
  const { account, verdict: health, ...rest } = verdictJson(verdict);
  expect({ account, health, ...rest }).toEqual(verdict);
  expect(Object.keys(verdictJson(verdict)).slice(0, 3)).toEqual(["account", "verdict", "depth"]);
});
