import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority, type Pair, readPair } from "../lab/tls.ts";
import { checkTls, describeOwn } from "../lib/adapters/nats/connection/tls.ts";

/** What `cluster.tls` refers to, as read. */

let folder: string;
let ca: string;
let own: Pair;
let other: Pair;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-tls-"));
  const authority = await createAuthority(folder);
  ca = await readFile(authority.ca, "utf8");
  own = await readPair(await authority.issue({ name: "own" }));
  other = await readPair(await authority.issue({ name: "other" }));
});
afterAll(async () => await rm(folder, { recursive: true }));

const handshakeFirst = false;

test("certificates, chains and a file with both are accepted", () => {
  expect(checkTls({ handshakeFirst })).toEqual({ handshakeFirst });
  expect(checkTls({ ca: ca + own.cert, handshakeFirst }).ca).toContain(own.cert);
  const both = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${own.cert}${own.key}`;
  const { key } = checkTls({ cert: both, key: both, handshakeFirst });
  expect(key).toBe(own.key.trim());
  expect(describeOwn(own)).toMatch(/^CN=own, issued by CN=lab-ca, until /);
});

const ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----";
const BROKEN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

test.each<[string, () => object, RegExp]>([
  ["an invalid CA", () => ({ ca: "hello" }), /cluster\.tls\.ca contains no certificate/],
  ["a CA that is broken", () => ({ ca: BROKEN }), /cluster\.tls\.ca contains a certificate that can't be read/],
  ["a key for a certificate", () => ({ ...own, cert: own.key }), /cluster\.tls\.cert contains no certificate/],
  ["a certificate for a key", () => ({ ...own, key: own.cert }), /cluster\.tls\.key contains no private key/],
  ["an encrypted key", () => ({ ...own, key: ENCRYPTED }), /cluster\.tls\.key is encrypted.*passphrase/],
  ["a key that is broken", () => ({ ...own, key: ENCRYPTED.replaceAll("ENCRYPTED ", "") }), /key that can't be read/],
  ["another one's key", () => ({ ...own, key: other.key }), /does not belong to .*\(CN=own, issued by CN=lab-ca/],
])("%s is named and not shown", (_what, texts, message) => {
  const check = () => checkTls({ ...texts(), handshakeFirst });
  expect(check).toThrow(expect.objectContaining({ code: "secret.malformed", message: expect.stringMatching(message) }));
  const shown = [own, other].map(({ key }) => key.split("\n")[1]);
  try {
    check();
  } catch (error) {
    for (const secret of shown) expect(`${error}${(error as Error).cause}`).not.toContain(secret);
  }
});
