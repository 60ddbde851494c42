import type { Operator } from "../../../domain/claims/operator.ts";
import { RelightError } from "../../../errors.ts";
import type { RemoteKey, Signer } from "../../../ports/keys.ts";
import { jwtSigner } from "../jwt/jwt-codec.ts";

/** The byte that makes an nkey begin with `O`. */
const OPERATOR_PREFIX = 14 << 3;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/**
 * A signer whose key stays where it is kept.
 * @throws RelightError `signer.untrusted_key` if the servers would not trust what it signs.
 */
export function remoteSigner(key: RemoteKey, operator: Operator): Signer {
  return jwtSigner(operatorKeyOf(key.publicKey), operator, async (body) => {
    if (body.length > key.longestMessage) throw tooLarge(body.length, key.longestMessage);
    return key.sign(body);
  });
}

/**
 * The nkey of an operator (`O…`) for an Ed25519 public key: prefix, key and CRC-16, in base32 without padding.
 * `@nats-io/nkeys` encodes only keys whose seed it has.
 */
export function operatorKeyOf(publicKey: Uint8Array): string {
  const body = Uint8Array.of(OPERATOR_PREFIX, ...publicKey);
  const sum = crc16(body);
  return base32(Uint8Array.of(...body, sum & 0xff, sum >> 8));
}

/** CRC-16/XMODEM, as nkeys have it. */
function crc16(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) sum = ((sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return sum;
}

/** RFC 4648; an operator's 35 bytes are 56 characters, without a rest. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join("");
}

function tooLarge(size: number, most: number): RelightError {
  const message = `the account's JWT has ${size} bytes to be signed, and its key signs ${most} at most`;
  return new RelightError("signer.too_large", message, { details: { size, most } });
}
