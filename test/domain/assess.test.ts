import { describe, expect, test } from "@jest/globals";
import { assess } from "../../lib/domain/assess.ts";
import { claimsInForce } from "../../lib/domain/claims-findings.ts";
import type { Observation } from "../../lib/domain/observation.ts";
import { type Health, worst } from "../../lib/domain/verdict.ts";
import {
  claims,
  consumer,
  DEAF,
  FAILED,
  NOW,
  observation,
  operator,
  server,
  stream,
} from "./observations.ts";

const verdictOf = (changes: Partial<Observation>, unfinishedToggle = false) =>
  assess(observation(changes), { operator, unfinishedToggle });

const running = (changes: object = {}, document = claims()) =>
  ({
    ok: true,
    value: [{ server: "s1", loaded: true, expired: false, jetstream: true, document, ...changes }],
  }) as Observation["running"];
const stored = (document = claims(), signatureValid = true): Observation["stored"] => ({
  ok: true,
  value: { document, signatureValid },
});
const streams = (...value: ReturnType<typeof stream>[]): Observation["streams"] => ({ ok: true, value });

describe("the verdict", () => {
  test("of an account with which all is well", () => {
    expect(verdictOf({})).toMatchObject({
      verdict: "healthy",
      depth: "account",
      findings: [],
      diagnosis: [],
      streams: 1,
      consumers: 1,
    });
  });

  test.each<[string, Partial<Observation>, Health, string[]]>([
    ["expired by the server's word", { running: running({ expired: true }) }, "dead", ["account.expired"]],
    [
      "expired by the clock",
      { running: running({}, claims({ exp: NOW })), stored: stored(claims({ exp: NOW })) },
      "dead",
      ["account.expired"],
    ],
    [
      "missing in the resolver",
      { stored: { ok: true, value: undefined } },
      "degraded",
      ["account.not_in_resolver"],
    ],
    ["a forged JWT in the resolver", { stored: stored(claims(), false) }, "degraded", ["claims.untrusted"]],
    [
      "a stranger's JWT in the resolver",
      { stored: stored(claims({ iss: "OX" })) },
      "degraded",
      ["claims.untrusted"],
    ],
    [
      "newer claims in the resolver",
      { stored: stored(claims({ jti: "J2", iat: NOW })) },
      "degraded",
      ["claims.drift"],
    ],
    [
      "JetStream off against the claims",
      { running: running({ jetstream: false }) },
      "dead",
      ["jetstream.not_enabled"],
    ],
    ["a deaf stream", { streams: streams(stream(DEAF)) }, "dead", ["stream.deaf"]],
    [
      "a deaf consumer",
      { streams: streams(stream({ consumers: [consumer({ heard: { ok: true, value: false } })] })) },
      "dead",
      ["consumer.deaf"],
    ],
    [
      "nobody knows it",
      { stored: { ok: true, value: undefined }, running: { ok: true, value: [] }, streams: streams() },
      "unknown",
      ["account.not_found"],
    ],
    ["no probe of the claims in force", { running: FAILED }, "unknown", ["probe.failed"]],
    ["no probe of the resolver", { stored: FAILED }, "unknown", ["probe.failed"]],
    ["no probe of the streams", { streams: FAILED }, "unknown", ["probe.failed"]],
    [
      "no probe of one stream",
      { streams: streams(stream({ deafSubjects: FAILED })) },
      "unknown",
      ["probe.failed"],
    ],
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
    [
      "no NATS-based resolver is no failure",
      { stored: { ...FAILED, code: "nats.no_resolver" } },
      "healthy",
      [],
    ],
  ])("%s", (_what, changes, verdict, codes) => {
    const result = verdictOf(changes);
    expect({ verdict: result.verdict, codes: result.findings.map(({ code }) => code) }).toEqual({
      verdict,
      codes,
    });
  });

  test("an account loaded nowhere is unknown without its key, and well with it", () => {
    const nowhere: Partial<Observation> = {
      running: { ok: true, value: [{ server: "s1", loaded: false }] },
      streams: streams(),
    };
    expect(verdictOf({ ...nowhere, accountView: { ok: "not-asked", why: "no key" } })).toMatchObject({
      ...{ verdict: "unknown", depth: "system", findings: [{ code: "account.not_loaded" }] },
    });
    const view = {
      jetstream: "enabled",
      info: { streams: 0, consumers: 0 },
      streamNames: [],
      failing: [],
    } as const;
    expect(verdictOf({ ...nowhere, accountView: { ok: true, value: view } }).verdict).toBe("healthy");
    // Without JetStream in its claims there is nothing that could be dead.
    const plain = claims({}, { mem_storage: 0, disk_storage: 0 });
    expect(
      verdictOf({ ...nowhere, stored: stored(plain), accountView: { ok: "not-asked", why: "" } }).verdict,
    ).toBe("healthy");
  });

  test("a stream that the account's API does not list or answer for is dead", () => {
    const view = {
      jetstream: "enabled",
      info: { streams: 1, consumers: 0 },
      streamNames: [],
      failing: [{ stream: "ORDERS", message: "timeout" }],
    } as const;
    const { findings, verdict } = verdictOf({ accountView: { ok: true, value: view } });
    expect(findings.map(({ code }) => code)).toEqual(["stream.failing", "stream.unlisted"]);
    expect(verdict).toBe("dead");
  });

  test("an open toggle is dead, however well the rest looks", () => {
    expect(verdictOf({}, true)).toMatchObject({ verdict: "dead", findings: [{ code: "remedy.unfinished" }] });
  });

  test("names the server's defect where its symptoms are seen on a version that has it, and not elsewhere", () => {
    const deaf = { streams: streams(stream(DEAF)) };
    expect(verdictOf(deaf).diagnosis).toEqual([
      expect.stringContaining("2.10.27 has nats-server #6806"),
      expect.stringContaining("$JS.API.INFO says"),
    ]);
    expect(verdictOf({ ...deaf, servers: [server({ version: "2.15.1" })] }).diagnosis).toEqual([
      expect.stringContaining("$JS.API.INFO"),
    ]);
    expect(verdictOf({}).diagnosis).toEqual([]);
  });
});

describe("the claims that count", () => {
  test("are the newest, but never what no trusted issuer signed", () => {
    const newer = claims({ jti: "J2", iat: NOW });
    expect(claimsInForce(observation({ stored: stored(newer) }), operator)?.claims.jti).toBe("J2");
    expect(claimsInForce(observation({ stored: stored(newer, false) }), operator)?.claims.jti).toBe("J1");
    const foreign = claims({ jti: "J3", iat: NOW, iss: "OX" });
    expect(claimsInForce(observation({ stored: stored(foreign) }), operator)?.claims.jti).toBe("J1");
  });
});

test("dead outranks unknown, unknown outranks degraded, and nothing is healthy", () => {
  expect(worst(["degraded", "unknown", "dead"])).toBe("dead");
  expect(worst(["degraded", "unknown", "healthy"])).toBe("unknown");
  expect(worst(["degraded", "healthy"])).toBe("degraded");
  expect(worst([])).toBe("healthy");
});
