import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseTree } from "jsonc-parser";
import { duplicateKey, parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import { surelyFits } from "../../../lib/domain/gate/go-fits.ts";
import { goProblem } from "../../../lib/domain/gate/go-json.ts";
import { ACCOUNT_CLAIMS } from "../../../lib/domain/gate/go-shapes.ts";
import type { Json } from "../../../lib/domain/time/json.ts";
import { oddities, print, rawOf } from "../../support/odd-jwts.ts";
import { claims } from "../observations.ts";

const scope = { kind: "user_scope", key: "A", template: { subs: 5, pub: { allow: ["a.>"] } } };
const { text: PLAIN } = claims({
  nats: {
    limits: { conn: -1, disk_storage: 1, tiered_limits: { R1: { streams: 1 } } },
    type: "account",
    version: 2,
    signing_keys: ["A", scope],
    revocations: { U: 1 },
    mappings: { from: [{ subject: "b", weight: 1 }] },
    default_permissions: { pub: { allow: ["a"] } },
    imports: [{ name: "i", subject: "é.>", account: "A", type: "stream", share: true }],
    exports: [{ subject: "e", type: "service", service_latency: { sampling: 50, results: "l" } }],
    x_note: "<&>",
  },
});

const isSure = (text: string): boolean => surelyFits(JSON.parse(text) as Json, text, ACCOUNT_CLAIMS);

describe("what certainly fits", () => {
  test("is the text of JavaScript's encoder, and of Go's", () => {
    expect(isSure(PLAIN)).toBe(true);
    const goText = PLAIN.replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026");
    expect(goText).not.toBe(PLAIN);
    expect(isSure(goText)).toBe(true);
  });

  test.each(["0", "255", "null"])("is the end of a number's range, and null: %s", (weight) => {
    expect(isSure(PLAIN.replace('"weight":1', () => `"weight":${weight}`))).toBe(true);
  });

  test("is never what has a problem, or is read differently when it is looked at closely", () => {
    const payload = rawOf(JSON.parse(PLAIN));
    const odd = fc.array(oddities(payload), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(odd, (odds) => {
        const text = print(odds.reduce((raw, { payload: change }) => change?.(raw) ?? raw, payload));
        // A space at the end is no encoder's, so this is looked at closely.
        const closely = parseAccountClaims(`${text} `);
        const parsed = parseAccountClaims(text);
        if (!parsed.ok || !closely.ok) return expect(parsed).toEqual(closely);
        expect(parsed.document.claims).toEqual(closely.document.claims);
        if (!isSure(text)) return;
        expect(goProblem(parseTree(text), text, ACCOUNT_CLAIMS)).toBeUndefined();
        expect(duplicateKey(parseTree(text))).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ["a key that folds onto another", '"exp":', '"Exp":1,"exp":'],
    ["a key twice", '"jti":"J1"', '"jti":"J1","jti":"J1"'],
    ["two unknown keys that fold onto each other", '"exp":', '"x_k":1,"x_\u212a":1,"exp":'],
    ["an unknown claim with something in it", '"exp":', '"x":[[]],"exp":'],
    ["a number in another notation", '"conn":-1', '"conn":-1e0'],
    ["minus zero", '"conn":-1', '"conn":-0'],
    ["a number that JavaScript can't hold", '"conn":-1', '"conn":9223372036854775807'],
    ["a number below its type", '"weight":1', '"weight":-1'],
    ["a number above its type", '"weight":1', '"weight":256'],
    ["half a character", '"name":"APP"', '"name":"\\ud800"'],
    ["a space", '"name":"APP"', '"name": "APP"'],
  ])("is not %s", (_what, from, to) => {
    expect(PLAIN).toContain(from);
    expect(isSure(PLAIN.replace(from, () => to))).toBe(false);
  });
});
