import { describe, expect, test } from "@jest/globals";
import { parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import { foldKey } from "../../../lib/domain/gate/go-json.ts";
import { claims } from "../observations.ts";

const scope = { kind: "user_scope", key: "A", template: { subs: 5 } };
const { text: PLAIN } = claims({
  nats: {
    limits: { conn: -1, disk_storage: 1, tiered_limits: { R1: { streams: 1 } } },
    type: "account",
    version: 2,
    signing_keys: ["A", scope],
    revocations: { U: 1 },
    mappings: { from: [{ subject: "b", weight: 1 }] },
    default_permissions: { pub: { allow: ["a"] } },
    exports: [{ subject: "e", type: "service", service_latency: { sampling: "headers", results: "l" } }],
  },
});

/** The problem of the payload with `from` replaced. */
function problemWith(from: string, to: string): string | undefined {
  expect(PLAIN).toContain(from);
  const parsed = parseAccountClaims(PLAIN.replace(from, () => to));
  return parsed.ok ? undefined : parsed.problem;
}

describe("keys that servers read as others", () => {
  test.each([
    ["at the top", '"exp":', '"Exp":1,"exp":', /the key "Exp" as "exp"/],
    ["alone", '"name":', '"Name":', /the key "Name" as "name"/],
    ["with escapes", '"exp":', '"\\u0045xp":1,"exp":', /the key "Exp" as "exp"/],
    ["the subject", '"sub":', '"Sub":"x","sub":', /the key "Sub" as "sub"/],
    ["the NATS part", '"nats":', '"Nats":{},"nats":', /the key "Nats" as "nats"/],
    ["the limits", '"limits":', '"Limits":{},"limits":', /the key "nats.Limits" as "limits"/],
    ["one limit", '"conn":', '"Conn":1,"conn":', /the key "nats.limits.Conn" as "conn"/],
    ["a long s", '"disk_storage":', '"di\u017fk_storage":1,"disk_storage":', /as "disk_storage"/],
    ["a Kelvin sign", '"disk_storage":', '"dis\u212a_storage":1,"x":', /as "disk_storage"/],
    ["in a tier", '"streams":', '"Streams":', /"nats.limits.tiered_limits.R1.Streams" as "streams"/],
    ["in a list", '"results":', '"Results":', /"nats.exports.0.service_latency.Results" as "results"/],
    ["in a scope", '"subs":', '"SUBS":', /"nats.signing_keys.1.template.SUBS" as "subs"/],
    ["in a mapping", '"weight":', '"Weight":', /"nats.mappings.from.0.Weight" as "weight"/],
    ["one that only version 1 has", '"exp":', '"Type":"account","exp":', /the key "Type" as "type"/],
    ["two unknown keys", '"exp":', '"x_a":1,"X_A":2,"exp":', /"x_a" and "X_A" as the same/],
  ])("%s are refused by name", (_what, from, to, problem) => {
    expect(problemWith(from, to)).toMatch(problem);
  });

  test.each([
    ["names of tiers", '"R1":{', '"r1":{"streams":2},"R1":{'],
    ["revoked keys", '"U":1', '"U":1,"u":2'],
    ["mapped subjects", '"from":', '"From":[],"from":'],
    ["unknown claims", '"exp":', '"x":{"a":1,"A":2},"exp":'],
    ["letters that fold onto no ASCII", '"name":', '"exp\u0131":1,"name":'],
  ])("are allowed where servers distinguish them: %s", (_what, from, to) => {
    expect(problemWith(from, to)).toBeUndefined();
  });

  test("are folded as Go folds them", () => {
    expect(foldKey("Di\u017f\u212a_\u0130\u00c9")).toBe("disk_\u0130\u00c9");
  });
});

describe("values that servers refuse", () => {
  const MAX = "9223372036854775807";
  test.each([
    ["a float", '"conn":-1', '"conn":1.0'],
    ["an exponent", '"conn":-1', '"conn":1e3'],
    ["a number as text", '"conn":-1', '"conn":"500"'],
    ["more than 64 bits", '"conn":-1', '"conn":9223372036854775808'],
    ["more than a weight's byte", '"weight":1', '"weight":256'],
    ["a name that is no text", '"name":"APP"', '"name":1'],
    ["a list for an object", '"pub":{', '"sub":[],"pub":{'],
    ["an unknown direction", '"service"', '"serve"'],
    ["no direction", '"type":"service"', '"type":null'],
    ["an export that is null", '"exports":[', '"exports":[null,'],
    ["a rate that no server can write", '"headers"', "101"],
    ["a scope of another kind", '"user_scope"', '"other"'],
    ["a signing key that is a number", '["A"', "[1"],
    ["what a scope's float can't hold", '"subs":5', `"subs":${MAX}`],
    ["half a character", '"name":"APP"', '"name":"\\ud800"'],
    ["half a character in a key that is data", '"R1":{', '"\\ud800":{'],
    ["version 1 by its field", '"exp":', '"type":"account","exp":'],
    ["a version with a fraction", '"version":2', '"version":2.0'],
  ])("%s", (_what, from, to) => {
    expect(problemWith(from, to)).toBeDefined();
  });

  test.each([
    ["null", '"conn":-1', '"conn":null'],
    ["a null list", '"exports":[', '"tags":null,"exports":['],
    ["the largest number", '"conn":-1', `"conn":${MAX}`],
    ["minus zero", '"conn":-1', '"conn":-0'],
    ["an address list as text", '"subs":5', '"src":"10.0.0.0/8"'],
    ["a float in an unknown claim", '"exp":', '"x":1.5e300,"exp":'],
    ["an empty field of version 1", '"exp":', '"type":"","exp":'],
  ])("but not %s", (_what, from, to) => {
    expect(problemWith(from, to)).toBeUndefined();
  });
});
