import { createPrivateKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPair } from "@nats-io/nkeys";
import { accountClaims, UNLIMITED } from "./claims.ts";
import { nowSeconds, seedOf } from "./keys.ts";
import type { World } from "./world.ts";

/**
 * Writes `count` unused accounts into the resolver's folder and restarts the server, which loads them. Pushing thousands
 * would take minutes, and so would creating real keys, so they have none. Returns their ids.
 */
export async function layAccounts({ server, operator, accountSigningKey }: World, count: number) {
  const key = createPrivateKey({ key: pkcs8(operator), format: "der", type: "pkcs8" });
  const ids = Array.from({ length: count }, () => publicKey(ACCOUNT, randomBytes(32)));
  // Computed once: deriving it from the seed for each account takes ten times as long as everything else.
  const issuer = operator.getPublicKey();
  const signingKey = named(accountSigningKey.getPublicKey());
  await server.stop();
  for (const [index, id] of ids.entries()) {
    const claims = accountClaims(`MANY-${index}`, named(id), signingKey, UNLIMITED);
    const head = { jti: crypto.randomUUID(), iat: nowSeconds(), iss: issuer };
    const token = jwt(JSON.stringify({ ...head, ...claims }), key);
    await writeFile(join(server.folder, "jwt", `${id}.jwt`), token);
  }
  await server.start();
  return ids;
}

const named = (publicKey: string): KeyPair => ({ getPublicKey: () => publicKey }) as KeyPair;

const part = (text: string): string => Buffer.from(text).toString("base64url");

function jwt(payload: string, key: KeyObject): string {
  const body = `${part('{"typ":"JWT","alg":"ed25519-nkey"}')}.${part(payload)}`;
  return `${body}.${sign(null, Buffer.from(body), key).toString("base64url")}`;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The prefix byte of account keys, which encodes as A. */
const ACCOUNT = 0;
const ED25519 = "302e020100300506032b657004220420";

/** The seed's 32 bytes, after its two prefix bytes, in OpenSSL's format. */
function pkcs8(key: KeyPair): Buffer {
  const bits = [...seedOf(key)].map((letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  return Buffer.concat([Buffer.from(ED25519, "hex"), Buffer.from(bytes.slice(2, 34))]);
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
