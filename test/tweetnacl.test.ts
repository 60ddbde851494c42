import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "@jest/globals";

/** What the bundles and the tests have in place of tweetnacl behaves like the original. */
interface Nacl {
  readonly sign: {
    readonly keyPair: { fromSeed(seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } };
    readonly detached: ((message: Uint8Array, secretKey: Uint8Array) => Uint8Array) & {
      verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean;
    };
  };
}

const load = (...path: string[]): Nacl => createRequire(import.meta.url)(join(import.meta.dirname, ...path)) as Nacl;
const original = load("..", "node_modules", "tweetnacl", "nacl-fast.js");
const ours = load("..", "lib", "adapters", "nats", "ed25519.cjs");

test.each([0, 1, 2])("keys, signatures and checks match tweetnacl's (%i)", (round) => {
  const seed = Uint8Array.from({ length: 32 }, (_, index) => (index * 7 + round * 31) % 256);
  const message = Buffer.from(`message ${round}`);
  const keys = ours.sign.keyPair.fromSeed(seed);
  expect(keys).toEqual({ ...original.sign.keyPair.fromSeed(seed) });
  const signature = ours.sign.detached(message, keys.secretKey);
  expect(signature).toEqual(original.sign.detached(message, keys.secretKey));
  for (const { sign } of [original, ours]) {
    expect(sign.detached.verify(message, signature, keys.publicKey)).toBe(true);
    expect(sign.detached.verify(Buffer.from("another"), signature, keys.publicKey)).toBe(false);
  }
});

test("keys that are used in turn are not taken for each other", () => {
  const seeds = [1, 2, 1, 2].map((first) => Uint8Array.from({ length: 32 }, (_, index) => first + index));
  const message = Buffer.from("a message");
  for (const seed of seeds) {
    const { publicKey, secretKey } = ours.sign.keyPair.fromSeed(seed);
    expect(ours.sign.detached(message, secretKey)).toEqual(original.sign.detached(message, secretKey));
    expect(publicKey).toEqual(original.sign.keyPair.fromSeed(seed).publicKey);
  }
});
