import { fmtCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import { readPayload } from "../../../domain/claims/jwt-text.ts";
import type { SystemUser } from "../../../domain/gate/lockout.ts";
import { isJsonObject, type JsonObject } from "../../../domain/time/json.ts";
import { type EpochMillis, type Millis, toSeconds } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import { encodeJwt, keyFromSeed } from "../jwt/jwt-codec.ts";

export interface SuccessorTerms {
  /** Seed of the account or of one of its signing keys. */
  readonly signingKey: string;
  readonly id: string;
  readonly now: EpochMillis;
  /** Absent if the user never expires. */
  readonly lifetime?: Millis;
}

/**
 * Creates a new user with a new key to replace the one of the given credentials: same account, name, limits and
 * permissions.
 * @throws RelightError `secret.malformed` if the text is not a credentials file, or the key is not an account's.
 */
export async function succeedUser(
  credentials: string,
  { signingKey, id, now, lifetime }: SuccessorTerms,
): Promise<string> {
  const { iss, name, nats } = userClaims(credentials);
  const account = String(nats["issuer_account"] ?? iss);
  const issuer = keyFromSeed(signingKey, "A", "rotation.systemSigningKey");
  const issuerKey = issuer.getPublicKey();
  const { issuer_account: _before, ...rest } = nats;
  const user = createUser();
  const seconds = toSeconds(now);
  const claims = {
    jti: id,
    iat: seconds,
    iss: issuerKey,
    name,
    sub: user.getPublicKey(),
    ...(lifetime === undefined ? {} : { exp: seconds + Math.round(lifetime / 1000) }),
    nats: { ...rest, ...(issuerKey === account ? {} : { issuer_account: account }) },
  };
  const token = await encodeJwt(JSON.stringify(claims), async (body) => issuer.sign(body));
  return Buffer.from(fmtCreds(token, user)).toString("utf8");
}

/** The account of the credentials' user; undefined if the text contains no user. */
export function accountOf(credentials: string): string | undefined {
  try {
    const { iss, nats } = userClaims(credentials);
    return String(nats["issuer_account"] ?? iss);
  } catch {
    return undefined;
  }
}

/** The credentials' user as servers see it; undefined if the text contains no user. */
export function systemUserOf(credentials: string): SystemUser | undefined {
  try {
    const { iss, sub, iat, nats } = userClaims(credentials);
    const permissions = [nats["pub"], nats["sub"]].flatMap((way) =>
      isJsonObject(way) ? [way["allow"], way["deny"]] : [],
    );
    const hasSome = permissions.some((list) => Array.isArray(list) && list.length > 0);
    return { id: sub, signedBy: iss, iat, hasPermissions: hasSome || isJsonObject(nats["resp"]) };
  } catch {
    return undefined;
  }
}

interface UserClaims {
  readonly iss: string;
  readonly sub: string;
  readonly iat: number;
  readonly name: string;
  readonly nats: JsonObject;
}

function userClaims(credentials: string): UserClaims {
  const [token = ""] = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(credentials) ?? [];
  const claims = readPayload(token);
  const nats = claims?.["nats"];
  if (claims === undefined || !isJsonObject(nats) || nats["type"] !== "user")
    throw new RelightError("secret.malformed", "the current credentials contain no user JWT");
  const { iss, sub, iat, name } = claims;
  return { iss: String(iss), sub: String(sub), iat: Number(iat ?? 0), name: String(name ?? ""), nats };
}
