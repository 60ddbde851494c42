import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Node, parseTree } from "jsonc-parser";
import { type ClaimsDocument, parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import { reissue, renewClaims } from "../../../lib/domain/claims/renewal.ts";
import { type GateInput, gate } from "../../../lib/domain/gate/gate.ts";
import { withoutJetStream } from "../../../lib/domain/limits/jetstream-limits.ts";
import { millis, toMillis } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, NOW, OPERATOR_KEY, operator } from "../observations.ts";

const DAY = millis(86_400_000);
const terms = { issuer: OPERATOR_KEY, id: "J2", now: toMillis(NOW), lifetime: DAY };
const OWNED = ["exp", "iat", "jti", "iss"];

/** JSON text as other encoders write it: escapes that JavaScript does not produce, numbers it can't hold. */
const number = fc.constantFrom(
  "0",
  "-1",
  "1.50",
  "1e3",
  "9223372036854775807",
  "-9223372036854775808",
  "12345678901234567890",
  "-0",
  "5E-324",
  "1e400",
);
const string = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom('"__proto__"', '"exp.x"', '"nats.limits"', '"constructor"'),
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

/** An account's payload with unknown claims, in any order and with any whitespace. */
const payload = fc
  .record({
    unknown: fc.uniqueArray(fc.tuple(string, value), {
      maxLength: 4,
      selector: ([key]) => JSON.parse(key),
    }),
    inner: value,
    exp: fc.constantFrom([], ['"exp"', String(NOW + 100)], ['"exp"', "0"], ['"e\\u0078p"', String(NOW - 5)]),
    iat: fc.integer({ min: 0, max: NOW + 1_000_000 }),
    turn: fc.nat(),
    gap: space,
  })
  .map(({ unknown, inner, exp, iat, turn, gap }) => {
    const known = [
      ["jti", '"J1"'],
      ["iat", String(iat)],
      ["iss", `"${OPERATOR_KEY}"`],
      ["sub", `"${ACCOUNT}"`],
      [
        "nats",
        `{"x_inner":${gap}${inner},"limits":{"conn":-1,"big":9223372036854775807},"type":"account","version":2}`,
      ],
    ].map(([key, item]) => [`"${key}"`, item ?? ""]);
    const taken = new Set(["jti", "iat", "iss", "sub", "nats", "exp", "nbf"]);
    const all = [...known, ...unknown.filter(([key]) => !taken.has(JSON.parse(key))), ...(exp.length > 0 ? [exp] : [])];
    const turned = [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)];
    return `${gap}{${gap}${turned.map(([key, item]) => `${key}${gap}:${gap}${item}`).join(`${gap},${gap}`)}${gap}}${gap}`;
  })
  // A key may fold onto one that servers know.
  .filter((text) => parseAccountClaims(text).ok);

/** The text without the values that a renewal sets; everything else, including whitespace, unchanged. */
function withoutOwned(text: string, isPerpetual: boolean): string {
  const spans = (parseTree(text)?.children ?? [])
    .map(({ children: [key, item] = [] }) => ({
      name: String(key?.value),
      at: item?.offset ?? 0,
      long: item?.length ?? 0,
    }))
    .filter(({ name }) => OWNED.includes(name) && !(isPerpetual && name === "exp"));
  return spans
    .sort((a, b) => b.at - a.at)
    .reduce((rest, { at, long }) => `${rest.slice(0, at)}…${rest.slice(at + long)}`, text);
}

/** Positions of the values in a JSON text that no renewal may change. */
function foreignValues(text: string): readonly Node[] {
  const below = (node: Node): Node[] => [
    node,
    ...(node.children ?? []).flatMap((child) =>
      child.type === "property" ? below(child.children?.[1] as Node) : below(child),
    ),
  ];
  return (parseTree(text)?.children ?? []).flatMap(({ children: [key, item] = [] }) =>
    OWNED.includes(String(key?.value)) || item === undefined ? [] : below(item),
  );
}

const renewalInput = (current: ClaimsDocument, candidate: ClaimsDocument): GateInput => ({
  account: ACCOUNT,
  operator,
  current,
  candidate,
  signatureValid: true,
  allowance: "nothing",
  now: NOW,
});

const documentOf = (text: string) => {
  const parsed = parseAccountClaims(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.document;
};

describe("renewal", () => {
  test("keeps every other claim, known or unknown, byte for byte and in place", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const current = documentOf(text);
        const isPerpetual = current.claims.exp === undefined;
        const renewed = renewClaims(current, terms);
        expect(withoutOwned(renewed.text, isPerpetual)).toBe(withoutOwned(text, isPerpetual));
        expect(withoutOwned(text, isPerpetual)).not.toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is newer, sets its own four claims, and does not change its input", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const current = documentOf(text);
        const before = structuredClone(current);
        const { claims: renewed } = renewClaims(current, terms);
        expect(current).toEqual(before);
        expect(renewed.iat).toBeGreaterThan(current.claims.iat);
        expect(renewed).toMatchObject({ jti: "J2", iss: OPERATOR_KEY });
        expect(renewed.exp).toBe(current.claims.exp === undefined ? undefined : NOW + 86_400);
      }),
    );
  });

  test("always passes the gate as a renewal", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const current = documentOf(text);
        expect(gate(renewalInput(current, renewClaims(current, terms)))).toMatchObject({
          decision: "accept",
        });
      }),
    );
  });

  test("does not pass with any other value changed", () => {
    fc.assert(
      fc.property(
        payload,
        fc.nat(),
        fc.constantFrom('"other"', "17", "[0]", "null", "9223372036854775806"),
        (text, pick, other) => {
          const current = documentOf(text);
          const renewed = renewClaims(current, terms).text;
          const places = foreignValues(renewed);
          const { offset, length } = places[pick % places.length] as Node;
          fc.pre(JSON.stringify(JSON.parse(renewed.slice(offset, offset + length))) !== other);
          const parsed = parseAccountClaims(`${renewed.slice(0, offset)}${other}${renewed.slice(offset + length)}`);
          // What is no longer an account's claims (another "sub", no "nats") does not reach the gate.
          if (parsed.ok) expect(gate(renewalInput(current, parsed.document))).toMatchObject({ decision: "refuse" });
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("does not pass with a claim added or removed", () => {
    fc.assert(
      fc.property(payload, string, fc.constantFrom("{}", "null", "[]", '""', "0"), (text, key, item) => {
        const name: string = JSON.parse(key);
        fc.pre(!Object.hasOwn(JSON.parse(text), name) && !["exp", "nbf"].includes(name));
        const longer = text.replace("{", () => `{${key}:${item},`);
        // A key that servers read as another one does not reach the gate.
        fc.pre(parseAccountClaims(longer).ok);
        const [less, more] = [documentOf(text), documentOf(longer)];
        expect(gate(renewalInput(less, renewClaims(more, terms)))).toMatchObject({ decision: "refuse" });
        expect(gate(renewalInput(more, renewClaims(less, terms)))).toMatchObject({ decision: "refuse" });
      }),
    );
  });

  test("sets its own four claims, and keeps an account that never expires", () => {
    expect(renewClaims(claims(), terms).claims).toMatchObject({
      jti: "J2",
      iat: NOW,
      iss: OPERATOR_KEY,
      exp: NOW + 86_400,
    });
    expect(renewClaims(claims({ exp: undefined }), terms).claims.exp).toBeUndefined();
    expect(renewClaims(claims({ exp: 0 }), terms).claims.exp).toBeUndefined();
  });

  test("is newer than its predecessor, even within a second or if a clock is behind", () => {
    expect(renewClaims(claims({ iat: NOW }), terms).claims.iat).toBe(NOW + 1);
    expect(renewClaims(claims({ iat: NOW + 60 }), terms).claims.iat).toBe(NOW + 61);
    const newer = claims({ iat: NOW + 9 });
    expect(reissue(claims(), { ...terms, supersedes: newer }).claims.iat).toBe(NOW + 10);
    expect(reissue(newer, { ...terms, supersedes: claims() }).claims.iat).toBe(NOW + 10);
  });

  test("removing JetStream changes only the switches", () => {
    const current = claims({}, { tiered_limits: { R1: { disk_storage: 5 } } });
    const off = reissue(current, terms, withoutJetStream(current.claims));
    const { mem_storage: _m, disk_storage: _d, tiered_limits: _t, ...rest } = JSON.parse(current.text).nats.limits;
    expect(JSON.parse(off.text).nats.limits).toEqual(rest);
  });
});
