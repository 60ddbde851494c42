import { fmtCreds } from "@nats-io/jwt";
import { createUser, type KeyPair } from "@nats-io/nkeys";

/**
 * JWTs written by hand, so that a test controls every byte: what a library would fill in, round or leave
 * out is exactly what Relight must keep.
 */
export type Claims = Record<string, unknown> & { nats: Record<string, unknown> };

const part = (text: string): string => Buffer.from(text).toString("base64url");
const HEADER = part(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }));

/** Signs a payload text as it is. */
export function signText(payload: string, key: KeyPair): string {
  const body = `${HEADER}.${part(payload)}`;
  return `${body}.${Buffer.from(key.sign(Buffer.from(body))).toString("base64url")}`;
}

/** Signs claims, with `iss`, `iat` and `jti` filled in where they are missing. */
export function signClaims(claims: Claims, key: KeyPair): string {
  const { iss = key.getPublicKey(), iat = nowSeconds(), jti = crypto.randomUUID(), ...rest } = claims;
  return signText(JSON.stringify({ jti, iat, iss, ...rest }), key);
}

export const seedOf = (key: KeyPair): string => new TextDecoder().decode(key.getSeed());

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/**
 * A credentials file for a new user of the account whose key is given, signed by that key or by one of the
 * account's signing keys.
 */
export function newCredentials(account: KeyPair, name: string, signingKey: KeyPair = account): string {
  const user = createUser();
  const issuer = signingKey === account ? {} : { issuer_account: account.getPublicKey() };
  const nats = { subs: -1, data: -1, payload: -1, pub: {}, sub: {}, ...issuer, type: "user", version: 2 };
  const token = signClaims({ sub: user.getPublicKey(), name, nats }, signingKey);
  return Buffer.from(fmtCreds(token, user)).toString("utf8");
}
