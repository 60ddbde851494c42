import { createPrivateKey, type KeyObject, randomBytes, sign } from "node:crypto";
import type { KeyPair } from "@nats-io/nkeys";
import { seedOf } from "./keys.ts";

/** Signatures by Node itself, for thousands of accounts: the nkeys library takes milliseconds for each. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The prefix byte of account keys, which encodes as A. */
const ACCOUNT = 0;
const ED25519 = "302e020100300506032b657004220420";
const HEADER = part('{"typ":"JWT","alg":"ed25519-nkey"}');

/** The private key of a key pair, as Node's own. */
export function nodeKey(pair: KeyPair): KeyObject {
  // The seed's 32 bytes, after its two prefix bytes, in OpenSSL's format.
  const bits = [...seedOf(pair)].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  const der = Buffer.concat([Buffer.from(ED25519, "hex"), Buffer.from(bytes.slice(2, 34))]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
}

/** A JWT with exactly this payload. */
export function signFast(payload: string, key: KeyObject): string {
  const body = `${HEADER}.${part(payload)}`;
  return `${body}.${sign(null, Buffer.from(body), key).toString("base64url")}`;
}

/** The id of an account whose key nobody has. */
export const unusedAccountId = (): string => publicKey(ACCOUNT, randomBytes(32));

/** A key pair of which only the public key is known. */
export const named = (id: string): KeyPair => ({ getPublicKey: () => id }) as KeyPair;

function part(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/** An NKey: base32 of prefix, bytes and CRC-16 (XMODEM). */
function publicKey(kind: number, key: Buffer): string {
  const body = Buffer.from([kind, ...key]);
  let crc = 0;
  for (const byte of body) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  const bits = [...body, crc & 255, crc >> 8].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((letter) => ALPHABET[Number.parseInt(letter, 2)]).join("");
}
