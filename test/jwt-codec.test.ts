import { describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import fc from "fast-check";
import { seedOf, signClaims, signText } from "../lab/keys.ts";
import { jwtCodec, operatorSigner, parseOperator } from "../lib/adapters/nats/jwt/jwt-codec.ts";
import type { Operator } from "../lib/domain/claims/operator.ts";
import type { RelightError } from "../lib/errors.ts";

const [operatorKey, signingKey, stranger] = [createOperator(), createOperator(), createOperator()];
const account = createAccount().getPublicKey();
const operator: Operator = {
  id: operatorKey.getPublicKey(),
  name: "OP",
  signingKeys: [signingKey.getPublicKey()],
  strictSigningKeyUsage: false,
};
const claims = { sub: account, name: "APP", nats: { limits: {}, type: "account", version: 2 } };

describe("an account JWT", () => {
  test("is read with its exact text, and its signature checked against the issuer that it names", () => {
    const text = `{"jti":"1","iat":1,"iss":"${operator.id}","sub":"${account}","nats":{"type":"account","version":2,"n":9223372036854775807}}`;
    const decoded = jwtCodec.decode(`${signText(text, operatorKey)}\n`);
    expect(decoded).toMatchObject({ signatureValid: true, document: { text } });
    expect(jwtCodec.decode(signText(text, stranger)).signatureValid).toBe(false);
  });

  test("that the signer signed is valid, with the given content", async () => {
    const { document } = jwtCodec.decode(signClaims(claims, signingKey));
    const token = await operatorSigner(seedOf(signingKey), operator).sign(document);
    expect(jwtCodec.decode(token)).toMatchObject({ signatureValid: true, document: { text: document.text } });
  });

  test("round-trips with every byte that an encoder may write, and no other is signed", () => {
    const sign = operatorSigner(seedOf(signingKey), operator).sign;
    const unknown = fc
      .oneof(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 3 }))
      .map((it) => JSON.stringify(it));
    return fc.assert(
      fc.asyncProperty(unknown, fc.constantFrom("", " ", "\n\t"), async (item, gap) => {
        const text = `${gap}{"x":${gap}${item},"jti":"1","iat":1,"iss":"${signingKey.getPublicKey()}","sub":"${account}","nats":{"type":"account","version":2,"n":9223372036854775807,"e":"\\u003c"}}${gap}`;
        const { document } = jwtCodec.decode(signText(text, signingKey));
        const token = await sign(document);
        expect(jwtCodec.decode(token)).toMatchObject({ token, signatureValid: true, document: { text } });
      }),
      { numRuns: 8 },
    );
  });

  test("is invalid with one byte of its payload changed, another's signature or none", () => {
    const good = signClaims({ ...claims, name: "AAA" }, signingKey);
    const [header = "", payload = "", signature = ""] = good.split(".");
    const changed = Buffer.from(Buffer.from(payload, "base64url").toString().replace('"AAA"', '"AAB"')).toString(
      "base64url",
    );
    const other = signClaims({ ...claims, name: "BBB" }, signingKey).split(".")[2];
    const foreign = signClaims({ ...claims, iss: operator.id }, stranger);
    expect(jwtCodec.decode(good).signatureValid).toBe(true);
    for (const token of [
      `${header}.${changed}.${signature}`,
      `${header}.${payload}.${other}`,
      `${header}.${payload}.`,
      foreign,
    ])
      expect(jwtCodec.decode(token).signatureValid).toBe(false);
    expect(jwtCodec.decode(signClaims({ ...claims, iss: "nobody" }, signingKey)).signatureValid).toBe(false);
  });

  test("is judged the same later and again, whatever was found valid before", async () => {
    const good = signClaims({ ...claims, name: "AAA" }, signingKey);
    const [header, payload, signature = ""] = good.split(".");
    const [, otherPayload, otherSignature] = signClaims({ ...claims, name: "BBB" }, signingKey).split(".");
    const foreign = signClaims({ ...claims, iss: operator.id }, stranger);
    const bad = [
      `${header}.${otherPayload}.${signature}`,
      `${header}.${payload}.${otherSignature}`,
      `${header}.${payload}.`,
      foreign,
      signClaims({ ...claims, iss: "nobody" }, signingKey),
    ];
    for (let round = 0; round < 2; round++) {
      expect(await jwtCodec.decodeLater(`${good}\n`)).toEqual(jwtCodec.decode(good));
      expect(jwtCodec.decode(good).signatureValid).toBe(true);
      for (const token of bad) {
        expect(jwtCodec.decode(token).signatureValid).toBe(false);
        expect((await jwtCodec.decodeLater(token)).signatureValid).toBe(false);
      }
    }
    await expect(jwtCodec.decodeLater("a.b")).rejects.toMatchObject({ code: "jwt.malformed" });
  });

  test.each<[string, (encoded: string) => string]>([
    ["padded", (it) => `${it}=`],
    ["in lines", (it) => `${it.slice(0, 8)}\n${it.slice(8)}`],
    ["in the standard alphabet", (it) => `+${it.slice(1)}`],
    ["with a letter too many", (it) => `${it}${"A".repeat((5 - (it.length % 4)) % 4 || 4)}`],
  ])("is refused if one of its parts is %s", (_how, change) => {
    const parts = signClaims(claims, signingKey).split(".");
    for (const index of [0, 1, 2]) {
      const token = parts.map((it, at) => (at === index ? change(it) : it)).join(".");
      expect(() => jwtCodec.decode(token)).toThrow(/three parts|in base64url without padding/);
    }
  });

  const part = (text: string): string => Buffer.from(text).toString("base64url");
  const HEADER = part('{"typ":"JWT","alg":"ed25519-nkey"}');
  test.each<[string, string, RegExp]>([
    ["nothing", "", /three parts/],
    ["two parts", "a.b", /three parts/],
    ["four parts", "a.b.c.d", /three parts/],
    ["a header that is no JSON", "!!!.e30.AA", /its header is not JSON/],
    ["a header that is a list", `${part("[]")}.e30.AA`, /its header is not JSON/],
    ["a header without a type", "e30.e30.AA", /"typ" is not JWT/],
    ["a header in another case", `${part('{"Typ":"JWT","alg":"ed25519-nkey"}')}.e30.AA`, /"Typ" as "typ"/],
    ["a header with a list", `${part('{"typ":["JWT"],"alg":"ed25519-nkey"}')}.e30.AA`, /"typ" is not a string/],
    ["a header that says it twice", `${part('{"typ":"JWT","alg":"x","alg":"ed25519-nkey"}')}.e30.AA`, /"alg".*twice/],
    ["a payload that is no UTF-8", `${HEADER}.${Buffer.from([0x7b, 0xff, 0x7d]).toString("base64url")}.AA`, /UTF-8/],
    [
      "another algorithm",
      `${part('{"typ":"JWT","alg":"ed25519"}')}.e30.AA`,
      /algorithm is "ed25519", not "ed25519-nkey"/,
    ],
    ["no algorithm at all", `${part('{"typ":"jwt","alg":"none"}')}.e30.AA`, /algorithm is "none"/],
    ["a payload that is no JSON", `${HEADER}.${part("hello")}.AA`, /the payload is not a JSON object/],
    ["a payload without claims", `${HEADER}.e30.AA`, /"sub" is not an account/],
    ["a user's", signClaims({ ...claims, sub: createUser().getPublicKey() }, operatorKey), /"sub" is not an account/],
    [
      "an operator's",
      signClaims({ ...claims, nats: { type: "operator", version: 2 } }, operatorKey),
      /of type "operator"/,
    ],
    ["one of version 1", signClaims({ ...claims, nats: { type: "account" } }, operatorKey), /not a version 2 JWT/],
    [
      "one nested without end",
      `${HEADER}.${part(`{"x":${"[".repeat(50_000)}${"]".repeat(50_000)}}`)}.AA`,
      /nested too deep/,
    ],
  ])("%s is refused with the reason", (_what, token, message) => {
    expect(() => jwtCodec.decode(token)).toThrow(
      expect.objectContaining({ code: "jwt.malformed", message: expect.stringMatching(message) }),
    );
  });
});

describe("the operator's key", () => {
  const strict = { ...operator, strictSigningKeyUsage: true };
  test.each<[string, string, Operator, string]>([
    ["of another operator", seedOf(stranger), operator, "signer.untrusted_key"],
    ["of the operator where signing keys are demanded", seedOf(operatorKey), strict, "signer.untrusted_key"],
    ["of an account", seedOf(createAccount()), operator, "secret.malformed"],
    ["of a user", seedOf(createUser()), operator, "secret.malformed"],
    ["that is invalid", "SOMETHING", operator, "secret.malformed"],
    [
      "with a slip",
      // Not the last letter: two of its bits are padding, and a change of these has no effect.
      seedOf(signingKey).replace(/^(.{20})(.)/, (_, before, letter) => `${before}${letter === "A" ? "B" : "A"}`),
      operator,
      "secret.malformed",
    ],
    ["that is torn off", seedOf(signingKey).slice(0, 40), operator, "secret.malformed"],
  ])("%s is refused, and not repeated", (_what, seed, whose, code) => {
    try {
      operatorSigner(seed, whose);
    } catch (thrown) {
      const error = thrown as RelightError;
      expect(error.code).toBe(code);
      const { message, stack, cause } = error;
      expect(JSON.stringify([error, message, stack, String(cause)])).not.toContain(seed);
      return;
    }
    throw new Error("it was taken");
  });

  test("is refused with what it is and what is expected", () => {
    const why = (seed: string, whose: Operator): string => {
      try {
        return operatorSigner(seed, whose).publicKey;
      } catch (thrown) {
        return (thrown as RelightError).message;
      }
    };
    const accountKey = createAccount();
    expect(why(seedOf(accountKey), operator)).toBe(
      `operator.signingKey is the seed of ${accountKey.getPublicKey()}, not of an operator (O…)`,
    );
    expect(why("SOMETHING", operator)).toBe("operator.signingKey is not an nkey seed (SO…)");
    expect(why(seedOf(operatorKey), strict)).toMatch(/requires signing keys .* is its own key$/);
    expect(why(seedOf(stranger), operator)).toMatch(/which operator OP \(O\w+\) does not trust$/);
    expect(why(seedOf(signingKey), strict)).toBe(signingKey.getPublicKey());
  });

  test.each([operatorKey, signingKey])("%#: trusted keys sign", (key) => {
    expect(operatorSigner(`${seedOf(key)}\n`, operator).publicKey).toBe(key.getPublicKey());
  });
});

test("an operator's JWT names who may sign; a forged one does not", () => {
  const nats = {
    type: "operator",
    version: 2,
    signing_keys: [signingKey.getPublicKey()],
    strict_signing_key_usage: true,
    system_account: account,
  };
  const token = signClaims({ sub: operator.id, name: "OP", nats }, operatorKey);
  expect(parseOperator(token)).toEqual({ ...operator, strictSigningKeyUsage: true, systemAccount: account });
  const decorated = `-----BEGIN NATS OPERATOR JWT-----\n${token}\n------END NATS OPERATOR JWT------\n\n`;
  for (const text of [decorated, decorated.replaceAll("\n", "\r\n")]) expect(parseOperator(text).id).toBe(operator.id);
  const [header, body] = token.split(".");
  const forged = `${header}.${body}.${signClaims({ sub: "x", nats }, stranger).split(".")[2]}`;
  expect(() => parseOperator("nonsense")).toThrow(expect.objectContaining({ code: "operator.invalid" }));
  expect(() => parseOperator(signClaims(claims, operatorKey))).toThrow(/does not contain a validly signed operator/);
  expect(parseOperator(signClaims({ sub: operator.id, nats: { type: "operator" } }, operatorKey))).toEqual({
    id: operator.id,
    name: operator.id,
    signingKeys: [],
    strictSigningKeyUsage: false,
  });
  expect(() => parseOperator(forged)).toThrow(expect.objectContaining({ code: "operator.invalid" }));
});
