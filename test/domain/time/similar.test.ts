import { expect, test } from "@jest/globals";
import { mostSimilar } from "../../../lib/domain/time/similar.ts";

const KEYS = ["signingKey", "servers", "systemCredentials", "policy", "policies", "jwt"];

test.each([
  ["signing_key", "signingKey"],
  ["SigningKey", "signingKey"],
  ["singingKey", "signingKey"],
  ["sigingkey", "signingKey"],
  ["severs", "servers"],
  ["system-credentials", "systemCredentials"],
  ["polcy", "policy"],
  ["jtw", "jwt"],
  ["unheard", undefined],
  ["key", undefined],
  ["", undefined],
])("%s is understood as %s", (word, meant) => expect(mostSimilar(word, KEYS)).toBe(meant));

test("a long word takes little time", () => {
  expect(mostSimilar("x".repeat(1_000_000), KEYS)).toBeUndefined();
});
