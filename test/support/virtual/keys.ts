import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { encodePublicKey } from "../../../lib/domain/claims/nkey.ts";

/** Real Ed25519 keys that are the same in every run: each is derived from its name. */
export interface VirtualKey {
  /** The public key, `O…` or `A…`. */
  readonly id: string;
  /** A configuration's name for its seed: only the virtual cluster reads it. */
  readonly seed: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/** The bytes before a seed's 32 bytes in PKCS #8, and before a public key's in SubjectPublicKeyInfo (RFC 8410). */
const PRIVATE = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_LENGTH = 32;

export function virtualKey(kind: "operator" | "account", name: string): VirtualKey {
  const raw = createHash("sha256").update(`${kind} ${name}`).digest();
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE, raw]), format: "der", type: "pkcs8" });
  const id = encodePublicKey(publicBytes(key), kind);
  return { id, seed: `seed of ${id}`, sign: (bytes) => sign(null, bytes, key) };
}

const publicBytes = (key: KeyObject): Uint8Array =>
  createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-PUBLIC_LENGTH);

/** The account key that {@link VirtualKey.seed} belongs to. */
export const keyOfSeed = (seed: string): string => seed.replace("seed of ", "");
