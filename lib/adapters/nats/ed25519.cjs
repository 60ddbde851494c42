/**
 * What nkeys uses of tweetnacl, with Node's own Ed25519. The bundles and the tests have it in place of tweetnacl
 * (scripts/build.ts, jest.config.js), which takes 20 times as long for a signature.
 * test/tweetnacl.test.ts compares the two. Relight uses no curve keys, so their functions are left out.
 */
const { createPrivateKey, createPublicKey, randomBytes, sign, verify } = require("node:crypto");

const SEED_LENGTH = 32;
/** What stands before the 32 bytes of a key in DER. */
const PRIVATE = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC = Buffer.from("302a300506032b6570032100", "hex");

const privateKey = (seed) => createPrivateKey({ key: Buffer.concat([PRIVATE, seed]), format: "der", type: "pkcs8" });
const publicKey = (bytes) => createPublicKey({ key: Buffer.concat([PUBLIC, bytes]), format: "der", type: "spki" });

/**
 * The last key. The library asks for it twice for each signature, and a sweep signs thousands with one key, while making it
 * takes longer than signing.
 */
let last;

function keyOf(seed) {
  if (last?.seed.equals(seed)) return last;
  const key = privateKey(seed);
  const bytes = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(PUBLIC.length);
  last = { seed: Buffer.from(seed), key, bytes };
  return last;
}

function fromSeed(seed) {
  const { bytes } = keyOf(seed);
  return { publicKey: new Uint8Array(bytes), secretKey: new Uint8Array(Buffer.concat([seed, bytes])) };
}

const detached = (message, secretKey) =>
  new Uint8Array(sign(null, message, keyOf(secretKey.subarray(0, SEED_LENGTH)).key));
detached.verify = (message, signature, bytes) => verify(null, message, publicKey(bytes), signature);

module.exports = {
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  sign: { keyPair: { fromSeed }, detached },
};
