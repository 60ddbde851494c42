/** The first byte of each kind of public key; it encodes as A, O, U and X (nats-io/nkeys). */
const PREFIXES = { account: 0, operator: 14 << 3, user: 20 << 3, curve: 23 << 3 } as const;
type Kind = keyof typeof PREFIXES;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Between the prefix byte and the two checksum bytes. */
const KEY_BYTES = 32;

/** Whether `text` is a public key of this kind by the servers' rules: 35 bytes in base32 with a valid checksum. */
export function isPublicKey(text: string, kind: Kind): boolean {
  if (!/^[A-Z2-7]{56}$/.test(text)) return false;
  const bits = [...text].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = (bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2));
  const key = bytes.slice(1, 1 + KEY_BYTES);
  // No seed has a key of zeros, whose checksum is zero too: `AAAA…` is a placeholder.
  return key.some((byte) => byte !== 0) && encodePublicKey(key, kind) === text;
}

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
function crc16(bytes: readonly number[]): number {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) sum = ((sum << 1) ^ (sum & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return sum;
}
