import { describe, expect, test } from "@jest/globals";
import { type GateInput, gate } from "../../lib/domain/gate.ts";
import { ACCOUNT, claims, NOW, OPERATOR_KEY, operator, SIGNING_KEY } from "./observations.ts";

const current = claims();
const renewed = { jti: "J2", iat: NOW, exp: NOW + 9_000 };
const input = (changes: Partial<GateInput> = {}): GateInput => ({
  ...{
    account: ACCOUNT,
    operator,
    current,
    candidate: claims(renewed),
    signatureValid: true,
    leave: "nothing",
    now: NOW,
  },
  ...changes,
});

function refusals(changes: Partial<GateInput>): readonly string[] {
  const decision = gate(input(changes));
  return decision.decision === "accept" ? [] : decision.refusals.map(({ code }) => code);
}

describe("the push gate", () => {
  test("lets a renewal through and shows what it changes", () => {
    const decision = gate(input());
    expect(decision).toMatchObject({ decision: "accept" });
    expect(decision.changes.map(({ path }) => path).sort()).toEqual(["exp", "iat", "jti"]);
  });

  const strict = { ...operator, strictSigningKeyUsage: true };
  const stranger = `O${"Z".repeat(55)}`;
  test.each<[string, Partial<GateInput>, string[]]>([
    ["a signing key's JWT", { candidate: claims({ ...renewed, iss: SIGNING_KEY }) }, []],
    ["a first JWT", { candidate: claims(renewed) }, []],
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
      "one of the future",
      { candidate: claims({ ...renewed, nbf: NOW + 1 }) },
      ["not_yet_valid", "claims_changed"],
    ],
    ["an older one", { candidate: claims({ ...renewed, iat: NOW - 200 }) }, ["stale"]],
    ["the very one in force", { candidate: current }, ["stale"]],
    ["one with a lowered limit", { candidate: claims(renewed, { conn: 5 }) }, ["limit_lowered"]],
    ["one with a raised limit", { candidate: claims(renewed, { subs: 200 }) }, ["claims_changed"]],
    ["one with another name", { candidate: claims({ ...renewed, name: "X" }) }, ["claims_changed"]],
    ["one that a person accepted", { leave: "claims", candidate: claims({ ...renewed, name: "X" }) }, []],
    [
      "a lowered limit, even accepted",
      { leave: "claims", candidate: claims(renewed, { subs: 1 }) },
      ["limit_lowered"],
    ],
    ["JetStream off in a renewal", { candidate: claims(renewed, { disk_storage: 0 }) }, ["limit_lowered"]],
    [
      "JetStream off in a toggle",
      { leave: "jetstream-switch", candidate: claims(renewed, { disk_storage: 0 }) },
      [],
    ],
    [
      "more than JetStream in a toggle",
      { leave: "jetstream-switch", candidate: claims(renewed, { conn: 0 }) },
      ["limit_lowered"],
    ],
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

  test("says of the operator's own key why it is not enough", () => {
    const decision = gate(input({ operator: strict }));
    expect(JSON.stringify(decision)).toContain("demands a signing key");
    expect(OPERATOR_KEY).toBe(current.claims.iss);
  });
});
