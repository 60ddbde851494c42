import { readPayload } from "../../claims/jwt-text.ts";
import { isJsonObject } from "../../time/json.ts";
import { type EpochSeconds, epochSeconds } from "../../time/time.ts";

/** A credentials file that a configuration names, without its secrets. */
export type CredentialsFile =
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; readonly why: string }
  | { readonly kind: "seed" }
  | { readonly kind: "malformed"; readonly why: string }
  | UserCredentials;

export interface UserCredentials {
  readonly kind: "user";
  readonly user: string;
  /** Public key of the account that the user belongs to. */
  readonly account: string;
  readonly expiresAt?: EpochSeconds;
}

const SEED = /^S[A-Z][A-Z2-7]{40,}$/;
/** A user seed: prefix, 32 bytes and checksum, encoded in 58 characters. */
const USER_SEED = /^SU[A-Z2-7]{56}$/;

export const isSeed = (text: string): boolean => SEED.test(text.trim());
export const isUserSeed = (text: string): boolean => USER_SEED.test(text.trim());

/** How the server finds the JWT and the seed (`credsRe` in server/leafnode.go). */
const BLOCK = /-{3,}.*-{3,}\r?\n([\w\-.=]+)\r?\n-{3,}.*-{3,}/g;

/** Reads the text of a credentials file. The result contains no secret. */
export function readCredentials(text: string): CredentialsFile {
  if (isSeed(text)) return { kind: "seed" };
  const [token, seed] = [...text.matchAll(BLOCK)].map(([, content]) => content ?? "");
  if (token === undefined || seed === undefined)
    return isLoneSeed(text, token)
      ? { kind: "seed" }
      : { kind: "malformed", why: "it does not contain a user JWT and a seed, each between lines of dashes" };
  if (!isUserSeed(seed)) return { kind: "malformed", why: "its second part is not the seed of a user (SU…)" };
  return readUser(token);
}

/** Whether a file has a seed, with or without dashes and comments, but no JWT. */
function isLoneSeed(text: string, block: string | undefined): boolean {
  if (text.includes("eyJ")) return false;
  return isSeed(block ?? "") || text.split("\n").some(isSeed);
}

function readUser(token: string): CredentialsFile {
  const claims = readPayload(token);
  const nats = claims?.["nats"];
  if (claims === undefined || !isJsonObject(nats)) return { kind: "malformed", why: "its JWT can't be read" };
  if (nats["type"] !== undefined && nats["type"] !== "user")
    return { kind: "malformed", why: `its JWT is of type ${String(nats["type"])}, not user` };
  const { sub, iss, exp, name } = claims;
  return {
    kind: "user",
    user: String(name ?? sub),
    account: String(nats["issuer_account"] ?? iss),
    ...(typeof exp === "number" && exp > 0 ? { expiresAt: epochSeconds(exp) } : {}),
  };
}
