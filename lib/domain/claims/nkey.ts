/** The first byte of each kind of public key; it encodes as A, O, U and X (nats-io/nkeys). */
const PREFIXES = { account: 0, operator: 14 << 3, user: 20 << 3, curve: 23 << 3 } as const;
type Kind = keyof typeof PREFIXES;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Between the prefix byte and the two checksum bytes. */
const KEY_BYTES = 32;

/** Whether `text` is a public key of this kind by the servers' rules: 35 bytes in base32 with a valid checksum. */
export function isPublicKey(text: string, kind: Kind): boolean {
  const bytes = decodeKey(text);
  if (bytes === undefined || bytes[0] !== PREFIXES[kind]) return false;
  const body = bytes.subarray(0, 1 + KEY_BYTES);
  const [low = 0, high = 0] = bytes.subarray(1 + KEY_BYTES);
  // No seed has a key of zeros, whose checksum is zero too: `AAAA…` is a placeholder.
  return crc16(body) === (low | (high << 8)) && body.some((byte, index) => index > 0 && byte !== 0);
}

/** The 32 bytes of a public key; undefined if it is none of any kind. Does not check the checksum. */
export function rawKey(publicKey: string): Uint8Array | undefined {
  return decodeKey(publicKey)?.slice(1, 1 + KEY_BYTES);
}

/** 35 bytes: prefix, key and checksum. Undefined if `text` is not base32 of that length. */
function decodeKey(text: string): Uint8Array | undefined {
  if (text.length !== KEY_LENGTH) return undefined;
  const bytes = new Uint8Array(1 + KEY_BYTES + 2);
  let [bits, held, filled] = [0, 0, 0];
  for (let index = 0; index < text.length; index++) {
    const five = VALUES[text.charCodeAt(index)];
    if (five === undefined || five < 0) return undefined;
    bits = ((bits << 5) | five) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes[filled++] = (bits >> held) & 0xff;
  }
  return bytes;
}

/** 35 bytes are exactly 56 base32 characters. */
const KEY_LENGTH = 56;
/** The value of each letter by its character code; -1 for other characters. */
const VALUES = Int8Array.from({ length: 128 }, (_, code) => LETTERS.indexOf(String.fromCharCode(code)));

/**
 * The nkey of an Ed25519 public key: prefix, key and CRC-16, in base32 without padding. (`@nats-io/nkeys` needs the seed.)
 */
export function encodePublicKey(key: Iterable<number>, kind: Kind): string {
  const body = [PREFIXES[kind], ...key];
  const sum = crc16(body);
  const bytes = [...body, sum & 0xff, sum >> 8];
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
  // 35 bytes are exactly 56 base32 characters.
  return (bits.match(/.{5}/g) ?? []).map((five) => LETTERS[Number.parseInt(five, 2)]).join("");
}

/** CRC-16/XMODEM. */
function crc16(bytes: Iterable<number>): number {
  let sum = 0;
  for (const byte of bytes) sum = ((sum << 8) & 0xffff) ^ (CRC_OF_BYTE[(sum >> 8) ^ byte] ?? 0);
  return sum;
}

const CRC_OF_BYTE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let sum = byte << 8;
  for (let bit = 0; bit < 8; bit++) sum = (sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0);
  return sum;
});
