import { randomUUID } from "node:crypto";
import { fmtCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { AccountClaims } from "../../../domain/claims/claims.ts";
import { isJsonObject, type Json } from "../../../domain/time/json.ts";
import { type EpochMillis, toSeconds } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { encodeJwt, keyFromSeed } from "../jwt/jwt-codec.ts";

/** Long enough to check many streams, short enough to be worthless if stolen. */
const LIFETIME_SECONDS = 300;

/** Read-only requests: none creates, changes or consumes anything. */
export const QUESTIONS = [
  ...(["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*"] as const),
  // For streams that no server holds, only lists answer.
  ...(["$JS.API.CONSUMER.NAMES.*", "$JS.API.STREAM.LIST", "$JS.API.CONSUMER.LIST.*"] as const),
] as const;

/** The beginning of the users' inboxes. */
export const INBOX = "_INBOX_relight";

export interface MintedUser {
  /** The text of a credentials file. Never written to disk. */
  readonly credentials: string;
  readonly inbox: string;
}

export interface MintTerms {
  readonly now: EpochMillis;
  /** Whether the operator requires signing keys (`strict_signing_key_usage`). */
  readonly strict: boolean;
  /** The only API subjects that the user may publish to. */
  readonly mayAsk: readonly string[];
}

/**
 * Creates a user of the account that expires after five minutes and may do only what is listed. With a *scoped* signing
 * key, the key's template decides instead. Does not use `@nats-io/jwt`, whose `btoa` supports only Latin-1, because stream
 * names may contain any letter.
 * @throws RelightError `secret.malformed` if `seed` is not an account key; `signer.untrusted_key` if it is not the
 * account's or one of its signing keys, or if it is the account's own but the operator requires signing keys.
 */
export async function mintUser(
  account: AccountId,
  claims: AccountClaims | undefined,
  seed: string,
  { now, strict, mayAsk }: MintTerms,
): Promise<MintedUser> {
  const issuer = keyFromSeed(seed, "A", "the account's signingKey");
  const issuerKey = issuer.getPublicKey();
  if (strict && issuerKey === account)
    throw new RelightError(
      "signer.untrusted_key",
      "the operator requires signing keys, but the account's signingKey is the account's own key",
    );
  const scoped = claims !== undefined && assertIssuer(account, claims, issuerKey);
  const user = createUser();
  const inbox = `${INBOX}_${user.getPublicKey().slice(-12)}`;
  const permissions = { pub: { allow: [...mayAsk], deny: [] }, sub: { allow: [`${inbox}.>`], deny: [] } };
  const seconds = toSeconds(now);
  const token = await encodeJwt(
    JSON.stringify({
      jti: randomUUID(),
      iat: seconds,
      exp: seconds + LIFETIME_SECONDS,
      iss: issuerKey,
      sub: user.getPublicKey(),
      name: "relight",
      nats: {
        ...(issuerKey === account ? {} : { issuer_account: account }),
        ...(scoped ? {} : { ...permissions, subs: -1, data: -1, payload: -1 }),
        type: "user",
        version: 2,
      },
    }),
    async (body) => issuer.sign(body),
  );
  return { credentials: Buffer.from(fmtCreds(token, user)).toString("utf8"), inbox };
}

/** Whether the key is scoped. Throws if the account does not have the key. */
function assertIssuer(account: AccountId, { nats }: AccountClaims, issuer: string): boolean {
  if (issuer === account) return false;
  const keys: readonly Json[] = Array.isArray(nats["signing_keys"]) ? nats["signing_keys"] : [];
  if (keys.includes(issuer)) return false;
  if (keys.some((key) => isJsonObject(key) && key["key"] === issuer)) return true;
  throw new RelightError("signer.untrusted_key", `${issuer} is neither account ${account} nor one of its signing keys`);
}
