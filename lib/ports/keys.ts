import type { ClaimsDocument } from "../domain/claims/claims.ts";

/** An operator key, wherever it is stored. */
export interface Signer {
  /** The public key (`O…`), the issuer of the JWTs it signs. */
  readonly publicKey: string;
  /** Signs a claims text and returns the encoded JWT. */
  sign(document: ClaimsDocument): Promise<string>;
  /** Signs a statement of Relight's own, base64url. Never valid as a JWT's signature. @throws as {@link sign} */
  attest(statement: string): Promise<string>;
}

/** An Ed25519 key in a service that signs with it and never reveals it. */
export interface RemoteKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The longest message that it can sign, in bytes. */
  readonly longestMessage: number;
  /** A plain Ed25519 signature (RFC 8032), 64 bytes. @throws RelightError `signer.*` */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** A decoded account JWT. */
export interface DecodedJwt {
  readonly token: string;
  readonly document: ClaimsDocument;
  /** Whether the named issuer signed it. Says nothing about trust. */
  readonly signatureValid: boolean;
}

export interface JwtCodec {
  /** @throws RelightError `jwt.malformed` with the reason. */
  decode(token: string): DecodedJwt;
  /** The same, for many at once: signatures are verified on all processors. @throws as {@link decode} */
  decodeLater(token: string): Promise<DecodedJwt>;
  /** The public key of an account's seed. @throws RelightError `secret.malformed` */
  publicKeyOf(accountSeed: string): string;
  /** Whether `key` (`O…`) signed the statement with {@link Signer.attest}. Says nothing about trust. */
  attests(key: string, statement: string, signature: string): boolean;
}
