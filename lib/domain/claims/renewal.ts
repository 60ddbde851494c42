import { type EpochMillis, type EpochSeconds, epochSeconds, type Millis, toSeconds } from "../time/time.ts";
import { type ClaimsDocument, type ClaimsEdit, editClaims } from "./claims.ts";

export interface RenewalTerms {
  /** The public key that will sign. */
  readonly issuer: string;
  /** The new JWT's id; random, unique. */
  readonly id: string;
  readonly now: EpochMillis;
  /** How long the renewed claims live, in milliseconds. */
  readonly lifetime: Millis;
  /** Claims that the new ones must be newer than, if not (only) those they are made from. */
  readonly supersedes?: ClaimsDocument;
}

/**
 * The claims in force with a new `exp`, `iat`, `jti` and `iss`, and not one other byte changed.
 * An account that never expires stays so: giving it an end is a decision, not a renewal.
 */
export function renewClaims(current: ClaimsDocument, terms: RenewalTerms): ClaimsDocument {
  const { exp } = current.claims;
  const renewed = epochSeconds(toSeconds(terms.now) + Math.round(terms.lifetime / 1000));
  return reissue(current, terms, exp === undefined ? [] : [{ path: ["exp"], value: renewed }]);
}

/** The same claims, expiry included, as a new JWT: what makes a server that ignored the last push listen. */
export function reissue(
  current: ClaimsDocument,
  { issuer, id, now, supersedes = current }: Omit<RenewalTerms, "lifetime">,
  edits: readonly ClaimsEdit[] = [],
): ClaimsDocument {
  const previous = epochSeconds(Math.max(current.claims.iat, supersedes.claims.iat));
  return editClaims(current, [
    ...edits,
    { path: ["iat"], value: laterThan(previous, toSeconds(now)) },
    { path: ["jti"], value: id },
    { path: ["iss"], value: issuer },
  ]);
}

/**
 * The newest `iat` is the truth, and a second is long: two JWTs made in one second must still be ordered. Behind the last
 * number that holds there is none.
 */
function laterThan(previous: EpochSeconds, now: EpochSeconds): EpochSeconds {
  return epochSeconds(Math.min(Math.max(previous + 1, now), Number.MAX_SAFE_INTEGER));
}

/** The claims with an end no earlier than that of those in force: what is signed anew must not take time away. */
export function lastsAsLong(claims: ClaimsDocument, inForce: ClaimsDocument): ClaimsDocument {
  const [own, theirs] = [claims.claims.exp, inForce.claims.exp];
  const isShorter = own !== undefined && (theirs === undefined || theirs > own);
  return isShorter ? editClaims(claims, [{ path: ["exp"], value: theirs }]) : claims;
}
