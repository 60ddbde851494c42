import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { parseTree } from "jsonc-parser";
import { parseAccountClaims } from "../../lib/domain/claims.ts";
import { gate } from "../../lib/domain/gate.ts";
import { withoutJetStream } from "../../lib/domain/jetstream-limits.ts";
import { reissue, renewClaims } from "../../lib/domain/renewal.ts";
import { millis, toMillis } from "../../lib/domain/time.ts";
import { ACCOUNT, claims, NOW, OPERATOR_KEY, operator } from "./observations.ts";

const DAY = millis(86_400_000);
const terms = { issuer: OPERATOR_KEY, id: "J2", now: toMillis(NOW), lifetime: DAY };
const OWNED = ["exp", "iat", "jti", "iss"];

/** JSON text as other encoders write it: escapes that JavaScript would not make, numbers it can't hold. */
const number = fc.constantFrom(
  "0",
  "-1",
  "1.50",
  "1e3",
  "9223372036854775807",
  "-9223372036854775808",
  "12345678901234567890",
);
const string = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\u003cb\\u003e \\u0026"', '"\\/"', '"é ✓ 🚀"', '"\\ud83d\\ude80"', '""'),
);
const space = fc.constantFrom("", " ", "\n  ", "\t");
const { value } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    number,
    string,
    fc.constantFrom("true", "false", "null"),
    tie("object"),
    tie("list"),
  ),
  list: fc
    .tuple(space, fc.array(tie("value"), { maxLength: 3 }))
    .map(([gap, items]) => `[${gap}${items.join(`,${gap}`)}]`),
  object: fc
    .tuple(
      space,
      fc.uniqueArray(fc.tuple(string, tie("value")), { maxLength: 4, selector: ([key]) => JSON.parse(key) }),
    )
    .map(([gap, pairs]) => `{${gap}${pairs.map(([key, item]) => `${key}:${gap}${item}`).join(`,${gap}`)}}`),
}));

/** An account's payload with claims that nobody knows, in any order. */
const payload = fc
  .tuple(
    fc.dictionary(fc.stringMatching(/^x_[a-z]{1,6}$/), value, { maxKeys: 4 }),
    value,
    fc.boolean(),
    fc.nat(),
  )
  .map(([unknown, inner, expires, seed]) => {
    const known: [string, string][] = [
      ["jti", '"J1"'],
      ["iat", String(NOW - 100)],
      ["iss", `"${OPERATOR_KEY}"`],
      ["sub", `"${ACCOUNT}"`],
      [
        "nats",
        `{"x_inner": ${inner},"limits":{"conn":-1,"big":9223372036854775807},"type":"account","version":2}`,
      ],
      ...(expires ? ([["exp", String(NOW + 100)]] as [string, string][]) : []),
    ];
    const all = [...known, ...Object.entries(unknown)];
    const turned = [...all.slice(seed % all.length), ...all.slice(0, seed % all.length)];
    return `{${turned.map(([key, item]) => `"${key}": ${item}`).join(", ")}}`;
  });

/** The text of each top-level claim, byte for byte, in its order. */
function claimTexts(text: string): readonly (readonly [string, string])[] {
  return (parseTree(text)?.children ?? []).map((property) => {
    const [key, item] = property.children ?? [];
    return [String(key?.value), text.slice(item?.offset, (item?.offset ?? 0) + (item?.length ?? 0))] as const;
  });
}

const documentOf = (text: string) => {
  const parsed = parseAccountClaims(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.document;
};

describe("renewal", () => {
  test("keeps every claim that it does not own, known or not, to the byte and in its place", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const renewed = renewClaims(documentOf(text), terms);
        const others = (all: ReturnType<typeof claimTexts>) => all.filter(([key]) => !OWNED.includes(key));
        expect(others(claimTexts(renewed.text))).toEqual(others(claimTexts(text)));
        expect(claimTexts(renewed.text).map(([key]) => key)).toEqual(claimTexts(text).map(([key]) => key));
      }),
      { numRuns: 500 },
    );
  });

  test("passes the gate as a renewal, always", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const current = documentOf(text);
        const candidate = renewClaims(current, terms);
        const input = {
          account: ACCOUNT,
          operator,
          current,
          candidate,
          signatureValid: true,
          leave: "nothing",
          now: NOW,
        } as const;
        expect(gate(input).decision).toBe("accept");
      }),
    );
  });

  test("with anything else changed it does not pass", () => {
    fc.assert(
      fc.property(
        payload,
        fc.constantFrom("9223372036854775806", "9223372036854775808"),
        (text, neighbour) => {
          const current = documentOf(text);
          const renewed = renewClaims(current, terms).text;
          const candidate = documentOf(renewed.replace('"big":9223372036854775807', `"big":${neighbour}`));
          const input = {
            account: ACCOUNT,
            operator,
            current,
            candidate,
            signatureValid: true,
            leave: "nothing",
            now: NOW,
          } as const;
          expect(gate(input).decision).toBe("refuse");
        },
      ),
    );
  });

  test("sets its own four claims, and lets an account that never expires be", () => {
    expect(renewClaims(claims(), terms).claims).toMatchObject({
      jti: "J2",
      iat: NOW,
      iss: OPERATOR_KEY,
      exp: NOW + 86_400,
    });
    expect(renewClaims(claims({ exp: undefined }), terms).claims.exp).toBeUndefined();
    expect(renewClaims(claims({ exp: 0 }), terms).claims.exp).toBeUndefined();
  });

  test("is newer than what it replaces, even within one second, or where a clock is behind", () => {
    expect(renewClaims(claims({ iat: NOW }), terms).claims.iat).toBe(NOW + 1);
    expect(renewClaims(claims({ iat: NOW + 60 }), terms).claims.iat).toBe(NOW + 61);
    const newer = claims({ iat: NOW + 9 });
    expect(reissue(claims(), { ...terms, supersedes: newer }).claims.iat).toBe(NOW + 10);
  });

  test("taking JetStream away touches the switches and nothing else", () => {
    const current = claims({}, { tiered_limits: { R1: { disk_storage: 5 } } });
    const off = reissue(current, terms, withoutJetStream(current.claims));
    const {
      mem_storage: _m,
      disk_storage: _d,
      tiered_limits: _t,
      ...rest
    } = JSON.parse(current.text).nats.limits;
    expect(JSON.parse(off.text).nats.limits).toEqual(rest);
  });
});
