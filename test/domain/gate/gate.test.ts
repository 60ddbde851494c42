import { describe, expect, test } from "@jest/globals";
import { parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import { type GateInput, gate, isOvertaken } from "../../../lib/domain/gate/gate.ts";
import { ACCOUNT, claims, NOW, OPERATOR_KEY, operator, SIGNING_KEY } from "../observations.ts";

const current = claims();
const TIERS = { tiered_limits: { R1: { disk_storage: 5 }, R3: { disk_storage: 5 } } };
const renewed = { jti: "J2", iat: NOW, exp: NOW + 9_000 };
const input = (changes: Partial<GateInput> = {}): GateInput => ({
  account: ACCOUNT,
  operator,
  current,
  candidate: claims(renewed),
  signatureValid: true,
  allowance: "nothing",
  now: NOW,
  ...changes,
});

function refusals(changes: Partial<GateInput>): readonly string[] {
  const decision = gate(input(changes));
  return decision.decision === "accept" ? [] : decision.refusals.map(({ code }) => code);
}

describe("the push gate", () => {
  test("accepts a renewal and shows its changes", () => {
    const decision = gate(input());
    expect(decision).toMatchObject({ decision: "accept" });
    expect(decision.changes.map(({ path }) => path).sort()).toEqual(["exp", "iat", "jti"]);
  });

  const strict = { ...operator, strictSigningKeyUsage: true };
  const stranger = `O${"Z".repeat(55)}`;
  test.each<[string, Partial<GateInput>, string[]]>([
    ["a signing key's JWT", { candidate: claims({ ...renewed, iss: SIGNING_KEY }) }, []],
    ["a wrong signature", { signatureValid: false }, ["bad_signature"]],
    ["another account's", { account: `A${"Y".repeat(55)}` as typeof ACCOUNT }, ["foreign_subject"]],
    ["another operator's", { candidate: claims({ ...renewed, iss: stranger }) }, ["untrusted_issuer"]],
    ["the operator's own where signing keys are demanded", { operator: strict }, ["untrusted_issuer"]],
    [
      "a signing key's where they are demanded",
      { operator: strict, candidate: claims({ ...renewed, iss: SIGNING_KEY }) },
      [],
    ],
    ["one that has expired", { candidate: claims({ ...renewed, exp: NOW }) }, ["expired"]],
    [
      "one that is not valid yet",
      { candidate: claims({ ...renewed, nbf: NOW + 1 }) },
      ["not_yet_valid", "claims_changed"],
    ],
    ["an older one", { candidate: claims({ ...renewed, iat: NOW - 200 }) }, ["stale"]],
    ["the one in force", { candidate: current }, ["stale"]],
    ["one with a lowered limit", { candidate: claims(renewed, { conn: 5 }) }, ["limit_lowered"]],
    ["one with a raised limit", { candidate: claims(renewed, { subs: 200 }) }, ["claims_changed"]],
    ["one with another name", { candidate: claims({ ...renewed, name: "X" }) }, ["claims_changed"]],
    ["changes that a person accepted", { allowance: "claims", candidate: claims({ ...renewed, name: "X" }) }, []],
    [
      "a lowered limit, even accepted",
      { allowance: "claims", candidate: claims(renewed, { subs: 1 }) },
      ["limit_lowered"],
    ],
    ["JetStream off in a renewal", { candidate: claims(renewed, { disk_storage: 0 }) }, ["limit_lowered"]],
    [
      "JetStream off in a toggle",
      { allowance: "jetstream-switch", candidate: claims(renewed, { disk_storage: 0 }) },
      [],
    ],
    [
      "more than JetStream in a toggle",
      { allowance: "jetstream-switch", candidate: claims(renewed, { conn: 0 }) },
      ["limit_lowered"],
    ],
    [
      "one without any limits, even accepted",
      { allowance: "claims", candidate: claims({ ...renewed, nats: { type: "account", version: 2 } }) },
      ["limit_lowered"],
    ],
    ["a raised limit that a person accepted", { allowance: "claims", candidate: claims(renewed, { subs: 200 }) }, []],
    [
      "wildcards off, even accepted",
      { allowance: "claims", candidate: claims(renewed, { wildcards: false }) },
      ["limit_lowered"],
    ],
    [
      "bearer tokens off, even accepted",
      { allowance: "claims", candidate: claims(renewed, { disallow_bearer: true }) },
      ["limit_lowered"],
    ],
    [
      "a first limit on streams, even accepted",
      {
        allowance: "claims",
        current: claims({}, { streams: 0 }),
        candidate: claims(renewed, { streams: 1 }),
      },
      ["limit_lowered"],
    ],
    [
      "tiers added beside flat limits, even accepted",
      { allowance: "claims", candidate: claims(renewed, TIERS) },
      ["tiers_beside_flat", "tier_switch"],
    ],
    [
      "a tier removed, even accepted",
      {
        allowance: "claims",
        current: claims({}, TIERS),
        candidate: claims(renewed, { tiered_limits: { R1: { disk_storage: 5 } } }),
      },
      ["limit_lowered"],
    ],
    [
      "a tier lowered, even accepted",
      {
        allowance: "claims",
        current: claims({}, TIERS),
        candidate: claims(renewed, { tiered_limits: { ...TIERS.tiered_limits, R3: { disk_storage: 1 } } }),
      },
      ["limit_lowered"],
    ],
    [
      "all tiers off in a toggle",
      {
        allowance: "jetstream-switch",
        current: claims({}, TIERS),
        candidate: claims(renewed, { disk_storage: undefined, mem_storage: undefined }),
      },
      [],
    ],
    [
      "JetStream on again in a toggle",
      { allowance: "jetstream-switch", current: claims({}, { disk_storage: undefined }) },
      [],
    ],
    [
      "another name in a toggle",
      { allowance: "jetstream-switch", candidate: claims({ ...renewed, name: "X" }) },
      ["claims_changed"],
    ],
    [
      "a claim that only looks like one of a renewal's",
      { current: claims({ "exp.x": 1 }), candidate: claims({ ...renewed, "exp.x": 2 }) },
      ["claims_changed"],
    ],
    ["an expiry where there was none", { current: claims({ exp: undefined }) }, []],
    ["one that never expires", { candidate: claims({ ...renewed, exp: undefined }) }, []],
    ["one that never expires, as a zero", { candidate: claims({ ...renewed, exp: 0 }) }, []],
    ["one valid from now on", { current: claims({ nbf: NOW }), candidate: claims({ ...renewed, nbf: NOW }) }, []],
    ["another one of the same second", { candidate: claims({ ...renewed, iat: NOW - 100 }) }, []],
    [
      "everything wrong at once",
      {
        signatureValid: false,
        candidate: claims({ exp: NOW - 5, iss: stranger, iat: 1, name: "X" }, { conn: 1 }),
      },
      ["bad_signature", "untrusted_issuer", "expired", "stale", "limit_lowered", "claims_changed"],
    ],
  ])("%s", (_what, changes, expected) => {
    expect(refusals(changes)).toEqual(expected);
  });

  test("accepts an account's first JWT if it is valid", () => {
    const { current: _none, ...first } = input();
    expect(gate(first)).toEqual({ decision: "accept", changes: [] });
    expect(gate({ ...first, signatureValid: false })).toMatchObject({ decision: "refuse" });
  });

  test("compares large numbers exactly", () => {
    const big = (digits: string, changes: Record<string, unknown>) => {
      const parsed = parseAccountClaims(claims(changes, { big: 1 }).text.replace('"big":1', `"big":${digits}`));
      if (!parsed.ok) throw new Error(parsed.problem);
      return parsed.document;
    };
    const before = big("9223372036854775807", {});
    expect(refusals({ current: before, candidate: big("9223372036854775807", renewed) })).toEqual([]);
    expect(refusals({ current: before, candidate: big("9223372036854775808", renewed) })).toEqual(["claims_changed"]);
    expect(refusals({ current: before, candidate: big("5", renewed) })).toEqual(["limit_lowered"]);
  });

  test("names each lowered limit, and all other changes together", () => {
    const candidate = claims({ ...renewed, name: "X", tags: ["t"] }, { subs: 1, conn: 5 });
    const decision = gate(input({ candidate }));
    expect(decision).toMatchObject({
      refusals: [
        { code: "limit_lowered", message: "it lowers nats.limits.conn from -1 to 5" },
        { code: "limit_lowered", message: "it lowers nats.limits.subs from 100 to 1" },
        { code: "claims_changed", message: "it changes more than a renewal may: name, tags" },
      ],
    });
    expect(decision.changes).toContainEqual({ path: "nats.limits.subs", before: 100, after: 1 });
  });

  test.each<[string, Partial<GateInput>, string]>([
    ["how long it has been over", { candidate: claims({ ...renewed, exp: NOW - 5 }) }, "it expired 5 s ago"],
    [
      "when it will be valid",
      { candidate: claims({ ...renewed, nbf: NOW + 5 }) },
      "it is not valid before 5 s from now",
    ],
    [
      "by how much it is too old",
      { candidate: claims({ ...renewed, iat: NOW - 105 }) },
      "it was issued 5 s before the claims in force (jti J1)",
    ],
    ["that it is in force", { candidate: current }, "it is already in force (jti J1)"],
    [
      "whose it is",
      { account: `A${"Y".repeat(55)}` as typeof ACCOUNT },
      `it is for account ${ACCOUNT}, not for A${"Y".repeat(55)}`,
    ],
  ])("says %s", (_what, changes, message) => {
    const decision = gate(input(changes));
    expect(decision.decision === "refuse" && decision.refusals[0]?.message).toBe(message);
  });

  test("says why the operator's own key is not enough", () => {
    const decision = gate(input({ operator: strict }));
    expect(JSON.stringify(decision)).toContain("requires a signing key");
    expect(OPERATOR_KEY).toBe(current.claims.iss);
  });
});

describe("a JWT that was overtaken", () => {
  const inForce = claims({ jti: "J3", iat: NOW, exp: NOW + 9_000 });
  const older = { jti: "J2", iat: NOW - 10, exp: NOW + 8_000 };
  const { exp: _exp, ...endless } = older;
  test.each<[string, Parameters<typeof claims>[0], boolean]>([
    ["an older one that ends sooner", older, true],
    ["an older one that has expired", { ...older, exp: NOW - 1 }, true],
    ["an older one that ends with it", { ...older, exp: NOW + 9_000 }, true],
    ["an older one that lives longer", { ...older, exp: NOW + 10_000 }, false],
    ["an older one without an end", { ...endless, exp: undefined } as Parameters<typeof claims>[0], false],
    ["an older one with another claim", { ...older, name: "OTHER" }, false],
    ["a newer one", { ...older, iat: NOW + 1 }, false],
    ["one of the same second", { ...older, iat: NOW }, false],
  ])("%s", (_what, candidate, expected) => {
    expect(isOvertaken(claims(candidate), inForce)).toBe(expected);
  });
});
