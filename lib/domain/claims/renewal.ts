import { type EpochMillis, type EpochSeconds, epochSeconds, type Millis, toSeconds } from "../time/time.ts";
import { type ClaimsDocument, type ClaimsEdit, editClaims } from "./claims.ts";

export interface RenewalTerms {
  /** The public key that will sign. */
  readonly issuer: string;
  /** The new JWT's id; random. */
  readonly id: string;
  readonly now: EpochMillis;
  /** How long the renewed claims live, in milliseconds. */
  readonly lifetime: Millis;
  /** Further claims that the new ones must be newer than. */
  readonly supersedes?: ClaimsDocument;
}

/**
 * The claims in force with a new `exp`, `iat`, `jti` and `iss`, and every other byte unchanged. Claims that never expire
 * get no `exp`, because that would be more than a renewal.
 */
export function renewClaims(current: ClaimsDocument, terms: RenewalTerms): ClaimsDocument {
  const { exp } = current.claims;
  const renewed = epochSeconds(toSeconds(terms.now) + Math.round(terms.lifetime / 1000));
  return reissue(current, terms, exp === undefined ? [] : [{ path: ["exp"], value: renewed }]);
}

/** The same claims, including `exp`, as a new JWT: for a server that ignored the last push. */
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
 * Servers compare JWTs by `iat`, in seconds, so two JWTs made within one second need different values. At the largest
 * safe integer there is no later one.
 */
function laterThan(previous: EpochSeconds, now: EpochSeconds): EpochSeconds {
  return epochSeconds(Math.min(Math.max(previous + 1, now), Number.MAX_SAFE_INTEGER));
}

/** The claims with an expiry no earlier than that of the claims in force. */
export function lastsAsLong(claims: ClaimsDocument, inForce: ClaimsDocument): ClaimsDocument {
  const [own, theirs] = [claims.claims.exp, inForce.claims.exp];
  const isShorter = own !== undefined && (theirs === undefined || theirs > own);
  return isShorter ? editClaims(claims, [{ path: ["exp"], value: theirs }]) : claims;
}
