import { RENEWAL_CLAIMS } from "../gate/gate.ts";
import type { Probe, StoredClaims } from "../observation/observation.ts";
import type { EpochSeconds } from "../time/time.ts";
import { type ClaimChange, type ClaimsDocument, diffClaims } from "./claims.ts";
import { type Operator, trustedIssuers } from "./operator.ts";

/** What is done when the source of truth and the cluster disagree. */
export type OnDifference = "page" | "push" | "adopt";

/** What a source of truth says of one account. */
export type Sourced =
  | { readonly state: "found"; readonly claims: StoredClaims; readonly token: string; readonly place: string }
  | { readonly state: "absent" }
  /** It names the account nowhere, but not all that lies there could be read. */
  | { readonly state: "unclear"; readonly problem: string };

/** A look into the source of truth, beside one at the cluster. */
export interface SourceView {
  /** The reference it was configured by; holds no secret. */
  readonly name: string;
  readonly sourced: Probe<Sourced>;
  /** Fingerprint of the difference that was adopted last, if one was. */
  readonly adopted?: string;
}

/** How the source of truth and the claims in force disagree. */
export type Difference =
  /** The source has the account, the cluster does not. */
  | { readonly kind: "missing" }
  /** The cluster has the account, the source does not. */
  | { readonly kind: "unknown" }
  /** The servers would not trust what the source has, so it can be neither compared nor pushed. */
  | { readonly kind: "untrusted"; readonly issuer: string }
  /** Both have it, with other claims; `newer` is the side with the later `iat`. */
  | {
      readonly kind: "differs";
      readonly newer: "source" | "cluster";
      readonly changes: readonly ClaimChange[];
    };

/** Whether the servers would load it: signed by whom it says, and that is the operator's. */
export function isTrusted({ document, signatureValid }: StoredClaims, operator: Operator): boolean {
  return signatureValid && trustedIssuers(operator).includes(document.claims.iss);
}

/**
 * How the source and the claims in force disagree; undefined if they agree. Claims in force that are newer
 * and differ in nothing but what a renewal changes *are* a renewal: that is no disagreement. The other way
 * round it is one, since then the cluster lacks what was issued last.
 */
export function differenceOf(
  sourced: Sourced,
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
 * What tells one difference from the next: it changes when either side does, and not when claims are merely
 * renewed. Once adopted, a difference is silent until then.
 */
export function fingerprintOf(difference: Difference, sourced: Sourced): string {
  const source = sourced.state === "found" ? sourced.claims.document.claims.jti : "none";
  const changes = difference.kind === "differs" ? difference.changes : [];
  const lasting = changes.filter(({ path }) => !RENEWAL_CLAIMS.includes(path));
  const newer = difference.kind === "differs" && lasting.length === 0 ? difference.newer : "";
  return `${difference.kind} ${newer} ${source} ${hash(JSON.stringify(lasting))}`;
}

/** FNV-1a, 32 bits twice: tells differences apart; keeps nothing secret, and nothing rests on it but silence. */
function hash(text: string): string {
  const round = (seed: number): number => {
    let value = seed;
    for (let index = 0; index < text.length; index++)
      value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
    return value >>> 0;
  };
  return [round(0x811c9dc5), round(0x050c5d1f)].map((part) => part.toString(16).padStart(8, "0")).join("");
}

/** Of several JWTs of one account the one that counts: trusted before untrusted, then the newest. */
export function bestSourced<T extends { readonly claims: StoredClaims }>(
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
