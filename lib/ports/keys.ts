import type { ClaimsDocument } from "../domain/claims/claims.ts";

/** The operator's key, wherever it is kept. */
export interface Signer {
  /** The public key (`O…`) that its JWTs name as issuer. */
  readonly publicKey: string;
  /** Signs a claims text and gives the encoded JWT. */
  sign(document: ClaimsDocument): Promise<string>;
  /** Signs what Relight itself states, base64url. No server takes that for a JWT's signature. @throws as {@link sign} */
  attest(statement: string): Promise<string>;
}

/** An Ed25519 key kept where it signs and is never given out. */
export interface RemoteKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The longest message that it signs, in bytes. */
  readonly longestMessage: number;
  /** A plain Ed25519 signature (RFC 8032), 64 bytes. @throws RelightError `signer.*` */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** An account JWT, read. */
export interface DecodedJwt {
  readonly token: string;
  readonly document: ClaimsDocument;
  /** Whether the signature is that of the issuer it names. Says nothing about trust. */
  readonly signatureValid: boolean;
}

export interface JwtCodec {
  /** @throws RelightError `jwt.malformed` with what is wrong. */
  decode(token: string): DecodedJwt;
  /** The public key of an account's seed. @throws RelightError `secret.malformed` */
  publicKeyOf(accountSeed: string): string;
  /** Whether `key` (`O…`) made the signature over the statement, by {@link Signer.attest}. Says nothing about trust. */
  attests(key: string, statement: string, signature: string): boolean;
}
