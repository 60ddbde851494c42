import type { Observation, RunningAccount, StoredClaims } from "../observation/observation.ts";
import type { ClaimsDocument } from "./claims.ts";
import { isTrusted } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/**
 * The claims that count, and that may be signed anew: the newest of those that run and of those in the resolver. The
 * resolver takes any JWT, and whoever is in the system account can answer in a server's place: what either tells counts
 * only if it is about this account and a trusted issuer signed it.
 */
export function claimsInForce(observation: Observation, operator: Operator): ClaimsDocument | undefined {
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const told = [...loaded(observation), ...(stored === undefined ? [] : [stored])];
  return told
    .filter((claims) => isItsOwn(observation, claims, operator))
    .map(({ document }) => document)
    .reduce<ClaimsDocument | undefined>(
      (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
      undefined,
    );
}

/** Whether it is about this account, and a trusted issuer signed it. */
export const isItsOwn = ({ account }: Observation, claims: StoredClaims, operator: Operator): boolean =>
  claims.document.claims.sub === account && isTrusted(claims, operator);

export type Loaded = Extract<RunningAccount, { loaded: true }>;

/** The servers that have the account loaded. */
export function loaded({ running }: Pick<Observation, "running">): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}
