/** The first byte of each kind of public key, and the letter that it shows as (nats-io/nkeys). */
const PREFIXES = { account: 0, user: 20 << 3, curve: 23 << 3 } as const;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** Prefix, key and checksum. */
const BYTES = 1 + 32 + 2;

/** Whether `text` is a public key of this kind, as servers check it: 35 bytes in base32, with their checksum. */
export function isPublicKey(text: string, kind: keyof typeof PREFIXES): boolean {
  if (!/^[A-Z2-7]{56}$/.test(text)) return false;
  const bits = [...text].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = Array.from({ length: BYTES }, (_, at) => Number.parseInt(bits.slice(8 * at, 8 * at + 8), 2));
  const [low = 0, high = 0] = bytes.slice(-2);
  return bytes[0] === PREFIXES[kind] && crc16(bytes.slice(0, -2)) === low + 256 * high;
}

/** CRC-16/XMODEM. */
function crc16(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
