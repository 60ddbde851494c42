import { hash } from "node:crypto";
import { decode } from "@nats-io/jwt";
import { fromSeed, type KeyPair } from "@nats-io/nkeys";
import { parseTree } from "jsonc-parser";
import { type ClaimsDocument, duplicateKey, parseAccountClaims } from "../../../domain/claims/claims.ts";
import { undecorated } from "../../../domain/claims/jwt-text.ts";
import { isPublicKey } from "../../../domain/claims/nkey.ts";
import { type Operator, trustedIssuers } from "../../../domain/claims/operator.ts";
import { goProblem } from "../../../domain/gate/go-json.ts";
import { JWT_HEADER } from "../../../domain/gate/go-shapes.ts";
import { isJsonObject, type JsonObject } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { DecodedJwt, JwtCodec, Signer } from "../../../ports/keys.ts";
import { isSigned, isSignedLater, verifies } from "./signatures.ts";

const HEADER = Buffer.from(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" })).toString("base64url");

/**
 * Reads and signs account JWTs as text. Does not use `@nats-io/jwt`, which parses into a JavaScript object (rounding 64-bit
 * limits), fills missing limits with zero, mutates its input and sets `iat` itself. A renewal must keep all other bytes.
 */
export const jwtCodec: JwtCodec = {
  decode(token: string): DecodedJwt {
    const known = decoded.get(token);
    if (known !== undefined) return known;
    const read = readToken(token);
    const jwt = { token: read.token, document: read.document, signatureValid: isSigned(read) };
    if (token.length <= LONGEST_KEPT) keep(token, jwt);
    return jwt;
  },
  async decodeLater(token: string): Promise<DecodedJwt> {
    const read = readToken(token);
    return { token: read.token, document: read.document, signatureValid: await isSignedLater(read) };
  },
  publicKeyOf: (seed) => keyFromSeed(seed, "A", "signingKey").getPublicKey(),
  attests: (key, statement, signature) => verifies(key, attestation(statement), signature),
};

/**
 * The last JWTs that were read, because a job gets the same one from every server, several times. It says the same each
 * time: neither the clock nor the operator matters here.
 */
const decoded = new Map<string, DecodedJwt>();
const MOST_KEPT = 256;
const LONGEST_KEPT = 16_384;

function keep(token: string, jwt: DecodedJwt): void {
  const [oldest] = decoded.keys();
  if (decoded.size >= MOST_KEPT && oldest !== undefined) decoded.delete(oldest);
  decoded.set(token, jwt);
}

/** A token whose signature is not verified yet. */
interface ReadToken extends Omit<DecodedJwt, "signatureValid"> {
  readonly issuer: string;
  readonly body: string;
  readonly signature: string;
}

/** @throws RelightError `jwt.malformed` */
function readToken(text: string): ReadToken {
  const token = text.trim();
  const [header, payload, signature, ...rest] = token.split(".");
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0)
    throw malformed("it does not have three parts separated by dots");
  assertHeader(header);
  const parsed = parseAccountClaims(decodePart(payload, "its payload is not JSON"));
  if (!parsed.ok) throw malformed(parsed.problem);
  const { document } = parsed;
  if (!isPublicKey(document.claims.sub, "account"))
    throw malformed('the checksum of "sub" is wrong; servers would refuse it');
  bytesOf(signature, "its signature is not");
  return { token, document, issuer: document.claims.iss, body: `${header}.${payload}`, signature };
}

/**
 * Whether the text is only a part of a JWT, which no server can load: a server overwrites an account's file in place, so a
 * disk that gets full leaves its beginning (2.10.27, tested; dirstore.go). An Ed25519 signature has 64 bytes.
 */
export function isFragment(text: string): boolean {
  const [, , signature, ...rest] = text.trim().split(".");
  return signature === undefined || rest.length > 0 || Buffer.from(signature, "base64url").length !== 64;
}

/** A request to delete accounts, as sent by `nsc push -R` and `-P`. */
export interface DeletionOrder {
  readonly issuer: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly jti: string;
  readonly accounts: readonly string[];
  /** Whether the named issuer signed it and is also its subject, as servers require. Says nothing about trust. */
  readonly isSelfSigned: boolean;
}

/** @throws RelightError `jwt.malformed` */
export function decodeDeletion(token: string): DeletionOrder {
  const [header = "", payload = "", signature = ""] = token.trim().split(".");
  const claims = attempt(() => JSON.parse(decodePart(payload, "its payload is not JSON")) as unknown);
  const nats = isJsonObject(claims) ? claims["nats"] : undefined;
  const accounts = isJsonObject(nats) ? nats["accounts"] : undefined;
  if (!isJsonObject(claims) || !Array.isArray(accounts))
    throw new RelightError("jwt.malformed", "this is not a request to delete accounts");
  const { iss, sub, iat, jti } = claims;
  const issuer = String(iss);
  return {
    issuer,
    iat: typeof iat === "number" && Number.isSafeInteger(iat) ? iat : 0,
    jti: String(jti ?? ""),
    accounts: accounts.map(String),
    isSelfSigned: sub === iss && verifies(issuer, `${header}.${payload}`, signature),
  };
}

/**
 * The text to sign for a statement. It contains spaces and line breaks, so its signature can never be valid for a JWT or a
 * server's nonce, which are base64url.
 */
function attestation(statement: string): string {
  return `relight journal v1\nsha512 ${hash("sha512", statement)}\n`;
}

/**
 * A signer from the seed of the operator or of one of its signing keys.
 * @throws RelightError `secret.malformed` if it is not an operator seed, `signer.untrusted_key` if servers would not trust
 * its signatures.
 */
export function operatorSigner(seed: string, operator: Operator): Signer {
  const key = keyFromSeed(seed, "O", "operator.signingKey");
  return jwtSigner(key.getPublicKey(), operator, async (body) => key.sign(body));
}

/**
 * A signer that signs JWTs with a function that signs bytes for `publicKey`.
 * @throws RelightError `signer.untrusted_key` if servers would not trust its signatures.
 */
export function jwtSigner(
  publicKey: string,
  operator: Operator,
  signBytes: (body: Uint8Array) => Promise<Uint8Array>,
): Signer {
  if (!trustedIssuers(operator).includes(publicKey))
    throw new RelightError("signer.untrusted_key", untrustedKey(publicKey, operator), {
      details: { key: publicKey, trusted: [...trustedIssuers(operator)] },
    });
  return {
    publicKey,
    sign: ({ text }: ClaimsDocument) => encodeJwt(text, signBytes),
    attest: async (statement) => {
      const signature = await signBytes(Buffer.from(attestation(statement)));
      return Buffer.from(signature).toString("base64url");
    },
  };
}

/** A JWT with exactly this payload. */
export async function encodeJwt(
  payload: string,
  signBytes: (body: Uint8Array) => Promise<Uint8Array>,
): Promise<string> {
  const body = `${HEADER}.${Buffer.from(payload).toString("base64url")}`;
  return `${body}.${Buffer.from(await signBytes(Buffer.from(body))).toString("base64url")}`;
}

/** The key pair of a seed of the given kind. `what` names the secret in errors. */
export function keyFromSeed(seed: string, kind: "O" | "A", what: string): KeyPair {
  const names = { O: "an operator", A: "an account" };
  const key = attempt(() => fromSeed(Buffer.from(seed.trim())));
  if (key === undefined) throw new RelightError("secret.malformed", `${what} is not an nkey seed (S${kind}…)`);
  const publicKey = key.getPublicKey();
  if (!publicKey.startsWith(kind))
    throw new RelightError("secret.malformed", `${what} is the seed of ${publicKey}, not of ${names[kind]} (${kind}…)`);
  return key;
}

/** Reads an operator JWT, also between the lines that `nsc describe operator --raw -o FILE` writes. @throws RelightError `operator.invalid` */
export function parseOperator(token: string): Operator {
  const claims = attempt(() => verifiedClaims(undecorated(token)));
  const nats = claims?.["nats"];
  if (claims === undefined || !isJsonObject(nats) || nats["type"] !== "operator")
    throw new RelightError("operator.invalid", "operator.jwt does not contain a validly signed operator JWT");
  const { sub, name } = claims;
  const { signing_keys: keys, strict_signing_key_usage: strict, system_account: system } = nats;
  return {
    id: String(sub),
    name: String(name ?? sub),
    signingKeys: Array.isArray(keys) ? keys.map(String) : [],
    strictSigningKeyUsage: strict === true,
    ...(typeof system === "string" ? { systemAccount: system } : {}),
  };
}

/** Verifies the JWT with the library, but decodes it here, because the library supports only Latin-1. */
function verifiedClaims(token: string): JsonObject | undefined {
  decode(token);
  const claims: unknown = JSON.parse(decodePart(token.split(".")[1] ?? "", "its payload is not JSON"));
  return isJsonObject(claims) ? claims : undefined;
}

function untrustedKey(publicKey: string, { name, id, strictSigningKeyUsage }: Operator): string {
  if (publicKey === id && strictSigningKeyUsage)
    return `operator ${name} requires signing keys (strict_signing_key_usage), but operator.signingKey is its own key`;
  return `operator.signingKey is ${publicKey}, which operator ${name} (${id}) does not trust`;
}

/** The headers that were found to be right. There are few: all encoders of a kind write the same. */
const headers = new Set<string>([HEADER]);
const MOST_HEADERS = 100;

function assertHeader(part: string): void {
  if (headers.has(part)) return;
  checkHeader(part);
  if (headers.size < MOST_HEADERS) headers.add(part);
}

function checkHeader(part: string): void {
  const text = decodePart(part, "its header is not JSON");
  const header = attempt(() => JSON.parse(text) as unknown);
  if (!isJsonObject(header)) throw malformed("its header is not JSON");
  const tree = parseTree(text);
  const twice = duplicateKey(tree);
  const otherwise = twice === undefined ? goProblem(tree, text, JWT_HEADER) : `"${twice}" appears twice`;
  if (otherwise !== undefined) throw malformed(`in its header, ${otherwise}`);
  if (String(header["typ"]).toUpperCase() !== "JWT") throw malformed('its header\'s "typ" is not JWT');
  if (header["alg"] !== "ed25519-nkey")
    throw malformed(`its algorithm is "${String(header["alg"])}", not "ed25519-nkey"`);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodePart(part: string, what: string): string {
  const bytes = bytesOf(part, what);
  const text = attempt(() => UTF8.decode(bytes));
  if (text === undefined) throw malformed(`${what} in UTF-8`);
  return text;
}

/** Servers accept only unpadded base64url; Node accepts almost anything. */
function bytesOf(part: string, what: string): Buffer {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) throw malformed(`${what} in base64url without padding`);
  return bytes;
}

function malformed(problem: string): RelightError {
  return new RelightError("jwt.malformed", `this is not an account JWT: ${problem}`);
}

/** Drops the library's errors, because the caller's are clearer. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
