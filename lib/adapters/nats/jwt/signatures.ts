import { createPublicKey, hash, type KeyObject, verify } from "node:crypto";
import { fromPublic } from "@nats-io/nkeys";
import { rawKey } from "../../../domain/claims/nkey.ts";

/** Ed25519 signatures by nkeys. Uses Node's own, because the nkeys library takes milliseconds for each. */

/** A JWT whose text has been read: who says to have signed it, what is signed, and the signature in base64url. */
export interface Signed {
  readonly token: string;
  readonly issuer: string;
  readonly body: string;
  readonly signature: string;
}

/** Whether `issuer` signed `body`; false also if there is no such key. */
export function verifies(issuer: string, body: string, signature: string): boolean {
  const key = keyOf(issuer);
  return key !== undefined && verify(null, Buffer.from(body), key, Buffer.from(signature, "base64url"));
}

/** Whether the issuer that a JWT names signed it. */
export function isSigned(jwt: Signed): boolean {
  const proof = proofOf(jwt);
  return isProved(proof) || noted(proof, verifies(jwt.issuer, jwt.body, jwt.signature));
}

/** The same on Node's thread pool, so that all processors verify signatures while this thread reads on. */
export async function isSignedLater(jwt: Signed): Promise<boolean> {
  const proof = proofOf(jwt);
  if (isProved(proof)) return true;
  const key = keyOf(jwt.issuer);
  if (key === undefined) return false;
  const [body, signature] = [Buffer.from(jwt.body), Buffer.from(jwt.signature, "base64url")];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  verify(null, body, key, signature, (error, isValid) => resolve(error === null && isValid));
  return noted(proof, await promise);
}

/**
 * What was proved in this process, by hash of the whole JWT: the same text has the same issuer, content and signature, so
 * the answer can't change. Whether servers trust the issuer, and whether the claims have expired or were revoked, is no
 * part of it and is decided each time. Only valid signatures are kept, so an attacker's JWTs drive out none.
 */
let recent = new Set<string>();
let older: ReadonlySet<string> = new Set();
/** The older half is dropped when the recent one is full: 100 bytes for each. */
const MOST_RECENT = 131_072;

const proofOf = ({ token }: Signed): string => hash("sha256", token, "binary");

function isProved(proof: string): boolean {
  if (recent.has(proof)) return true;
  return older.has(proof) && noted(proof, true);
}

function noted(proof: string, isValid: boolean): boolean {
  if (!isValid) return false;
  if (recent.size >= MOST_RECENT) {
    older = recent;
    recent = new Set();
  }
  recent.add(proof);
  return true;
}

/** Keys by issuer, because creating one takes half as long as a verification. Undefined: it is no public key. */
const keys = new Map<string, KeyObject | undefined>();
const MOST_KEYS = 100;

function keyOf(issuer: string): KeyObject | undefined {
  if (keys.has(issuer)) return keys.get(issuer);
  const key = createKey(issuer);
  if (keys.size >= MOST_KEYS) keys.clear();
  keys.set(issuer, key);
  return key;
}

/** The bytes before an Ed25519 key's 32 bytes in a SubjectPublicKeyInfo (RFC 8410). */
const KEY_INFO = Buffer.from("302a300506032b6570032100", "hex");

function createKey(issuer: string): KeyObject | undefined {
  try {
    // Checks the kind and the checksum.
    fromPublic(issuer);
    const der = Buffer.concat([KEY_INFO, rawKey(issuer) ?? Buffer.alloc(0)]);
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}
