import { describe, expect, test } from "@jest/globals";
import { diffClaims, parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import {
  enablesJetStream,
  isLowered,
  limitsOf,
  withoutJetStream,
} from "../../../lib/domain/limits/jetstream-limits.ts";
import { claims } from "../observations.ts";

const { text: GOOD } = claims();
const changed = (change: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(GOOD), ...change });

describe("reading claims", () => {
  test.each<[string, string, RegExp]>([
    ["no JSON", "hello", /not a JSON object/],
    ["a list", "[]", /not a JSON object/],
    ["nothing", "null", /not a JSON object/],
    ["no subject", changed({ sub: undefined }), /"sub" is not an account/],
    ["a user's subject", changed({ sub: `U${"B".repeat(55)}` }), /"sub" is not an account/],
    ["no issuer", changed({ iss: 1 }), /"iss"/],
    ["no id", changed({ jti: undefined }), /"jti"/],
    ["a time with a fraction", changed({ iat: 1.5 }), /"iat" is not a time/],
    ["a time before 1970", changed({ iat: -1 }), /"iat" is not a time/],
    ["no time of issue", changed({ iat: undefined }), /"iat" is not a time/],
    ["a time that JavaScript can't hold", GOOD.replace(/"exp":\d+/, `"exp":${2 ** 53}`), /"exp" is not a time/],
    ["a time as text", changed({ exp: "tomorrow" }), /"exp" is not a time/],
    ["a time that is null", changed({ nbf: null }), /"nbf" is not a time/],
    ["no NATS part", changed({ nats: undefined }), /"nats" is missing/],
    ["an operator's", changed({ nats: { type: "operator", version: 2 } }), /type "operator"/],
    ["one without a type", changed({ nats: { version: 2 } }), /type "undefined"/],
    ["version 1", changed({ nats: { type: "account", version: 1 } }), /version 2/],
    ["a claim twice", GOOD.replace('"jti":"J1"', '"jti":"J1","jti":"J9"'), /"jti" appears twice/],
    ["a claim twice, once in disguise", GOOD.replace('"jti"', '"jt\\u0069":"J0","jti"'), /"jti" appears twice/],
    ["a claim twice within a list", changed({}).replace("{", '{"x":[0,{"a":1,"a":2}],'), /"a" appears twice/],
    [
      "one nested without end",
      GOOD.replace("{", `{"x":${"[".repeat(50_000)}${"]".repeat(50_000)},`),
      /nested too deep/,
    ],
    ["an inner claim twice", GOOD.replace('"conn":-1', '"conn":-1,"conn":5'), /"conn" appears twice/],
  ])("%s is refused with its reason", (_what, text, problem) => {
    expect(parseAccountClaims(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  test("a zero time counts as absent, as on the server", () => {
    const { exp, nbf } = claims({ exp: 0, nbf: 0 }).claims;
    expect({ exp, nbf }).toEqual({ exp: undefined, nbf: undefined });
    expect(claims({ nbf: 7 }).claims.nbf).toBe(7);
  });

  test("equal keys in different objects are no duplicates", () => {
    expect(parseAccountClaims(changed({ x: [{ a: 1 }, { a: 2 }], y: { x: 1 } }))).toMatchObject({
      ok: true,
    });
  });

  test("the text is unchanged, and a missing name is empty", () => {
    const text = `\n ${changed({ name: undefined })}\t`;
    expect(parseAccountClaims(text)).toMatchObject({ ok: true, document: { text, claims: { name: "" } } });
  });
});

describe("differences", () => {
  test("have a path; large numbers that JavaScript can't hold are compared exactly", () => {
    const before = claims({}, { big: 1 });
    const big = (digits: string) => parseAccountClaims(before.text.replace('"big":1', `"big":${digits}`));
    const [one, two] = [big("9223372036854775806"), big("9223372036854775807")];
    if (!one.ok || !two.ok) throw new Error("the test's claims are broken");
    expect(diffClaims(one.document, two.document)).toEqual([
      { path: "nats.limits.big", before: "9223372036854775806", after: "9223372036854775807" },
    ]);
    expect(diffClaims(one.document, one.document)).toEqual([]);
  });

  const withClaim = (claim: string) => {
    const parsed = parseAccountClaims(GOOD.replace("{", `{${claim === "" ? "" : `${claim},`}`));
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.document;
  };

  test.each<[string, string, string, string]>([
    ["a claim that came", "", '"x":null', "x"],
    ["a claim that went", '"x":{}', "", "x"],
    ["a key that every JavaScript object has", "", '"__proto__":{}', "__proto__"],
    ["another such key", "", '"constructor":{}', "constructor"],
    ["a number that became its text", '"x":9223372036854775807', '"x":"9223372036854775807"', "x"],
    ["a number that Go can't read as whole any more", '"x":1000', '"x":1e3', "x"],
    ["an integer written as a fraction", '"x":1', '"x":1.0', "x"],
    ["the order of a list", '"x":[1,2]', '"x":[2,1]', "x"],
    ["a key with a dot, which is no path", '"exp.x":1', '"exp.x":2', '"exp.x"'],
    ["an object that became a list", '"x":{}', '"x":[]', "x"],
  ])("show %s", (_what, before, after, path) => {
    expect(diffClaims(withClaim(before), withClaim(after)).map((change) => change.path)).toEqual([path]);
  });

  test("ignore whitespace, escapes and the order of claims", () => {
    const [before, after] = [
      withClaim('"x":"<é>","y":{"a":1,"b":2}'),
      withClaim('"y": {"b":2 ,"a":1},\n"x":"\\u003c\\u00e9>"'),
    ];
    expect(diffClaims(before, after)).toEqual([]);
  });
});

describe("limits", () => {
  test.each([
    ["conn", -1, 5, true],
    ["conn", 5, -1, false],
    ["conn", 5, 6, false],
    ["conn", 5, undefined, true],
    ["conn", undefined, 5, false],
    ["conn", "9223372036854775807", "9223372036854775806", false],
    ["conn", undefined, -1, false],
    ["conn", -1, undefined, true],
    ["conn", -1, null, true],
    ["conn", "9223372036854775807", 5, true],
    ["conn", 5, "9223372036854775807", false],
    ["payload", 0, 1, false],
    ["disk_storage", -1, 0, true],
    // nats-server checks `limit > 0 && used >= limit` for these, so zero or absent means no limit.
    ["streams", undefined, 5, true],
    ["streams", 5, 0, false],
    ["consumer", 0, 5, true],
    ["consumer", 5, undefined, false],
    ["max_ack_pending", 0, 1_000, true],
    ["max_ack_pending", 1_000, -1, false],
    ["disk_max_stream_bytes", 0, 100, true],
    ["disk_max_stream_bytes", -1, 0, false],
    ["mem_max_stream_bytes", 0, 100, true],
    ["mem_max_stream_bytes", 100, 0, false],
    ["disallow_bearer", false, true, true],
    ["disallow_bearer", undefined, true, true],
    ["disallow_bearer", true, undefined, false],
    ["disallow_bearer", true, true, false],
    ["max_bytes_required", undefined, true, true],
    ["max_bytes_required", true, false, false],
    ["wildcards", true, undefined, true],
    ["wildcards", undefined, true, false],
    ["wildcards", true, false, true],
    ["wildcards", false, true, false],
    ["tiered_limits", { R1: { streams: 1 } }, undefined, true],
    ["tiered_limits", undefined, { R1: { streams: 1 } }, false],
    ["tiered_limits.R3", { streams: 1 }, undefined, true],
    ["tiered_limits.R3.disk_storage", 10, 5, true],
    ["tiered_limits.R3.disk_storage", 5, -1, false],
  ])("%s from %j to %j: lowered is %j", (key, before, after, lowered) => {
    expect(isLowered(`nats.limits.${key}`, before, after)).toBe(lowered);
  });

  test.each<[string, Record<string, unknown>, string[]]>([
    ["flat", {}, ["mem_storage", "disk_storage"]],
    ["disk only", { mem_storage: undefined }, ["disk_storage"]],
    ["tiers", { mem_storage: undefined, disk_storage: undefined, tiered_limits: { R1: {} } }, ["tiered_limits"]],
    ["none", { mem_storage: undefined, disk_storage: undefined }, []],
  ])("removing JetStream from an account with %s storage edits the claims that exist", (_what, limits, keys) => {
    expect(withoutJetStream(claims({}, limits).claims)).toEqual(
      keys.map((key) => ({ path: ["nats", "limits", key], value: undefined })),
    );
  });

  test("are empty if the claims have none", () => {
    const none = claims({ nats: { type: "account", version: 2 } }).claims;
    expect(limitsOf(none)).toEqual({});
    expect(enablesJetStream(none)).toBe(false);
    expect(withoutJetStream(none)).toEqual([]);
  });

  test.each([
    ["flat", {}, true],
    ["none", { mem_storage: 0, disk_storage: 0 }, false],
    ["absent", { mem_storage: undefined, disk_storage: undefined }, false],
    ["tiers only", { mem_storage: 0, disk_storage: 0, tiered_limits: { R3: { disk_storage: 1 } } }, true],
    ["no tiers", { mem_storage: 0, disk_storage: 0, tiered_limits: {} }, false],
  ])("JetStream with %s storage: %j", (_what, limits, enabled) => {
    expect(enablesJetStream(claims({}, limits).claims)).toBe(enabled);
  });
});
