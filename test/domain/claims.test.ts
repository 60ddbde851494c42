import { describe, expect, test } from "@jest/globals";
import { diffClaims, parseAccountClaims } from "../../lib/domain/claims.ts";
import { enablesJetStream, isLowered } from "../../lib/domain/jetstream-limits.ts";
import { claims } from "./observations.ts";

const { text: GOOD } = claims();
const changed = (change: Record<string, unknown>): string =>
  JSON.stringify({ ...JSON.parse(GOOD), ...change });

describe("reading claims", () => {
  test.each<[string, string, RegExp]>([
    ["no JSON", "hello", /not a JSON object/],
    ["a list", "[]", /not a JSON object/],
    ["no subject", changed({ sub: undefined }), /"sub" is not an account/],
    ["a user's subject", changed({ sub: `U${"B".repeat(55)}` }), /"sub" is not an account/],
    ["no issuer", changed({ iss: 1 }), /"iss"/],
    ["no id", changed({ jti: undefined }), /"jti"/],
    ["a time with a fraction", changed({ iat: 1.5 }), /"iat" is not a time/],
    ["a time as text", changed({ exp: "tomorrow" }), /"exp" is not a time/],
    ["no NATS part", changed({ nats: undefined }), /"nats" is missing/],
    ["an operator's", changed({ nats: { type: "operator", version: 2 } }), /type "operator"/],
    ["version 1", changed({ nats: { type: "account", version: 1 } }), /version 2/],
    ["a claim twice", GOOD.replace('"jti":"J1"', '"jti":"J1","jti":"J9"'), /"jti" stands there twice/],
    ["an inner claim twice", GOOD.replace('"conn":-1', '"conn":-1,"conn":5'), /"conn" stands there twice/],
  ])("%s is refused with its reason", (_what, text, problem) => {
    expect(parseAccountClaims(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  test("a zero expiry is none, as it is to the server", () => {
    expect(claims({ exp: 0 }).claims.exp).toBeUndefined();
  });
});

describe("differences", () => {
  test("are given by path; a number that JavaScript can't hold is told from its neighbour", () => {
    const before = claims({}, { big: 1 });
    const big = (digits: string) => parseAccountClaims(before.text.replace('"big":1', `"big":${digits}`));
    const [one, two] = [big("9223372036854775806"), big("9223372036854775807")];
    if (!one.ok || !two.ok) throw new Error("the test's claims are broken");
    expect(diffClaims(one.document, two.document)).toEqual([
      { path: "nats.limits.big", before: "9223372036854775806", after: "9223372036854775807" },
    ]);
    expect(diffClaims(one.document, one.document)).toEqual([]);
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
    ["disk_storage", -1, 0, true],
    ["mem_max_stream_bytes", 0, 100, true],
    ["mem_max_stream_bytes", 100, 0, false],
    ["disallow_bearer", false, true, true],
    ["disallow_bearer", undefined, true, true],
    ["max_bytes_required", true, false, false],
    ["wildcards", true, false, true],
    ["wildcards", false, true, false],
    ["tiered_limits", { R1: { streams: 1 } }, undefined, true],
  ])("%s from %j to %j: lowered is %j", (key, before, after, lowered) => {
    expect(isLowered(`nats.limits.${key}`, before, after)).toBe(lowered);
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
