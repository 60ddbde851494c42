import { describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { seedOf, signClaims, signText } from "../lab/keys.ts";
import { jwtCodec, operatorSigner, parseOperator } from "../lib/adapters/nats/jwt-codec.ts";
import type { Operator } from "../lib/domain/operator.ts";

const [operatorKey, signingKey, stranger] = [createOperator(), createOperator(), createOperator()];
const account = createAccount().getPublicKey();
const operator: Operator = {
  ...{ id: operatorKey.getPublicKey(), name: "OP", signingKeys: [signingKey.getPublicKey()] },
  strictSigningKeyUsage: false,
};
const claims = { sub: account, name: "APP", nats: { limits: {}, type: "account", version: 2 } };

describe("an account JWT", () => {
  test("is read with its very text, and its signature checked against the issuer it names", () => {
    const text = `{"jti":"1","iat":1,"iss":"${operator.id}","sub":"${account}","nats":{"type":"account","version":2,"n":9223372036854775807}}`;
    const decoded = jwtCodec.decode(`${signText(text, operatorKey)}\n`);
    expect(decoded).toMatchObject({ signatureValid: true, document: { text } });
    expect(jwtCodec.decode(signText(text, stranger)).signatureValid).toBe(false);
  });

  test("signed by the signer is valid, and what was to be signed", async () => {
    const { document } = jwtCodec.decode(signClaims(claims, signingKey));
    const token = await operatorSigner(seedOf(signingKey), operator).sign(document);
    expect(jwtCodec.decode(token)).toMatchObject({ signatureValid: true, document: { text: document.text } });
  });

  test.each([
    ["", /three parts/],
    ["a.b.c.d", /three parts/],
    ["e30.e30.AA", /"typ" is not JWT/],
    [
      `${Buffer.from('{"typ":"JWT","alg":"ed25519"}').toString("base64url")}.e30.AA`,
      /algorithm is "ed25519"/,
    ],
    [signClaims({ ...claims, sub: createUser().getPublicKey() }, operatorKey), /"sub" is not an account/],
  ])("%#: what is none is refused with the reason", (token, message) => {
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
    ["that is none", "SOMETHING", operator, "secret.malformed"],
  ])("%s is refused, and not repeated", (_what, seed, whose, code) => {
    const attempt = (): unknown => operatorSigner(seed, whose);
    expect(attempt).toThrow(expect.objectContaining({ code, message: expect.not.stringContaining(seed) }));
  });

  test.each([operatorKey, signingKey])("%#: trusted keys sign", (key) => {
    expect(operatorSigner(`${seedOf(key)}\n`, operator).publicKey).toBe(key.getPublicKey());
  });
});

test("an operator's JWT says who may sign; a forged one says nothing", () => {
  const nats = {
    type: "operator",
    version: 2,
    signing_keys: [signingKey.getPublicKey()],
    strict_signing_key_usage: true,
    system_account: account,
  };
  const token = signClaims({ sub: operator.id, name: "OP", nats }, operatorKey);
  expect(parseOperator(token)).toEqual({ ...operator, strictSigningKeyUsage: true, systemAccount: account });
  const [header, body] = token.split(".");
  const forged = `${header}.${body}.${signClaims({ sub: "x", nats }, stranger).split(".")[2]}`;
  expect(() => parseOperator(forged)).toThrow(expect.objectContaining({ code: "operator.invalid" }));
});
