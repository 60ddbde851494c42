import { RENEWAL_CLAIMS } from "../gate/gate.ts";
import type { Probe, StoredClaims } from "../observation/observation.ts";
import { fnv1a } from "../time/hash.ts";
import type { EpochSeconds } from "../time/time.ts";
import { type ClaimChange, type ClaimsDocument, diffClaims } from "./claims.ts";
import { type Operator, trustedIssuers } from "./operator.ts";

/** What to do if the source of truth differs from the cluster. */
export type OnDifference = "page" | "push" | "adopt";

/** An account in the source of truth. */
export type SourceAccount =
  | { readonly state: "found"; readonly claims: StoredClaims; readonly token: string; readonly place: string }
  | { readonly state: "absent" }
  /** The account was not found, but some entries could not be read. */
  | { readonly state: "unclear"; readonly problem: string };

/** The source of truth's part of an observation. */
export interface SourceView {
  /** The configured reference; contains no secret. */
  readonly name: string;
  readonly sourced: Probe<SourceAccount>;
  /** Fingerprint of the last adopted difference, if any. */
  readonly adopted?: string;
}

/** How the source of truth differs from the claims in force. */
export type Difference =
  /** Only the source has the account. */
  | { readonly kind: "missing" }
  /** Only the cluster has the account. */
  | { readonly kind: "unknown" }
  /** The servers do not trust the source's JWT, so it can be neither compared nor pushed. */
  | { readonly kind: "untrusted"; readonly issuer: string }
  /** Both have it with different claims; `newer` is the side with the later `iat`. */
  | {
      readonly kind: "differs";
      readonly newer: "source" | "cluster";
      readonly changes: readonly ClaimChange[];
    };

/** Whether servers would load the claims: the signature is valid, and its key is trusted. */
export function isTrusted({ document, signatureValid }: StoredClaims, operator: Operator): boolean {
  return signatureValid && trustedIssuers(operator).includes(document.claims.iss);
}

/**
 * How the source differs from the claims in force; undefined if it does not. Newer claims in force that differ only in
 * what a renewal changes are a renewal, which is no difference. The reverse is one, because the cluster lacks the latest
 * JWT.
 */
export function differenceOf(
  sourced: SourceAccount,
  inForce: ClaimsDocument | undefined,
  operator: Operator,
): Difference | undefined {
  if (sourced.state === "unclear") return undefined;
  if (sourced.state === "absent") return inForce === undefined ? undefined : { kind: "unknown" };
  const { document } = sourced.claims;
  if (!isTrusted(sourced.claims, operator)) return { kind: "untrusted", issuer: document.claims.iss };
  if (inForce === undefined) return { kind: "missing" };
  const changes = diffClaims(inForce, document);
  const newer = document.claims.iat > inForce.claims.iat ? "source" : "cluster";
  const isRenewal = newer === "cluster" && changes.every(({ path }) => RENEWAL_CLAIMS.includes(path));
  return isRenewal ? undefined : { kind: "differs", newer, changes };
}

/**
 * Identifies a difference. It changes if either side changes, but not if claims are only renewed. An adopted difference
 * is ignored until its fingerprint changes.
 */
export function fingerprintOf(difference: Difference, sourced: SourceAccount): string {
  const source = sourced.state === "found" ? sourced.claims.document.claims.jti : "none";
  const changes = difference.kind === "differs" ? difference.changes : [];
  const lasting = changes.filter(({ path }) => !RENEWAL_CLAIMS.includes(path));
  const newer = difference.kind === "differs" && lasting.length === 0 ? difference.newer : "";
  return `${difference.kind} ${newer} ${source} ${hash(JSON.stringify(lasting))}`;
}

/** A collision only hides a difference. */
const hash = (text: string): string =>
  [fnv1a(text), fnv1a(text, 0x050c5d1f)].map((part) => part.toString(16).padStart(8, "0")).join("");

/** Picks one of several JWTs of an account: trusted before untrusted, then the newest. */
export function preferredJwt<T extends { readonly claims: StoredClaims }>(
  candidates: readonly T[],
  operator: Operator,
): T | undefined {
  const rank = ({ claims }: T): readonly [number, EpochSeconds] => [
    isTrusted(claims, operator) ? 1 : 0,
    claims.document.claims.iat,
  ];
  return candidates.reduce<T | undefined>((best, next) => {
    if (best === undefined) return next;
    const [[trust, iat], [bestTrust, bestIat]] = [rank(next), rank(best)];
    return trust > bestTrust || (trust === bestTrust && iat > bestIat) ? next : best;
  }, undefined);
}
