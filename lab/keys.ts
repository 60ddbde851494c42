import { fmtCreds } from "@nats-io/jwt";
import { createUser, type KeyPair } from "@nats-io/nkeys";

/** JWTs without a library, to control every byte: Relight must keep exactly what a library would fill in, round or omit. */
export type Claims = Record<string, unknown> & { nats: Record<string, unknown> };

const part = (text: string): string => Buffer.from(text).toString("base64url");
const HEADER = part(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }));

/** Signs a payload text unchanged. */
export function signText(payload: string, key: KeyPair): string {
  const body = `${HEADER}.${part(payload)}`;
  return `${body}.${Buffer.from(key.sign(Buffer.from(body))).toString("base64url")}`;
}

/** Signs claims, and fills in `iss`, `iat` and `jti` if missing. */
export function signClaims(claims: Claims, key: KeyPair): string {
  const { iss = key.getPublicKey(), iat = nowSeconds(), jti = crypto.randomUUID(), ...rest } = claims;
  return signText(JSON.stringify({ jti, iat, iss, ...rest }), key);
}

export const seedOf = (key: KeyPair): string => new TextDecoder().decode(key.getSeed());

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/** A credentials file for a new user of the account, signed by the account's key or a signing key. */
export function newCredentials(account: KeyPair, name: string, signingKey: KeyPair = account): string {
  const user = createUser();
  const issuer = signingKey === account ? {} : { issuer_account: account.getPublicKey() };
  const nats = { subs: -1, data: -1, payload: -1, pub: {}, sub: {}, ...issuer, type: "user", version: 2 };
  const token = signClaims({ sub: user.getPublicKey(), name, nats }, signingKey);
  return Buffer.from(fmtCreds(token, user)).toString("utf8");
}
