import type { Observation, RunningAccount, StoredClaims } from "../observation/observation.ts";
import type { ClaimsDocument } from "./claims.ts";
import { isTrusted } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/**
 * The claims in force, which may be signed again: the newest of the servers' and the resolver's. Only claims of this
 * account by a trusted issuer count, because the resolver accepts any JWT, and every client of the system account can
 * answer in place of a server.
 */
export function claimsInForce(observation: Observation, operator: Operator): ClaimsDocument | undefined {
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const candidates = [...loaded(observation), ...(stored === undefined ? [] : [stored])];
  return candidates
    .filter((claims) => isItsOwn(observation, claims, operator))
    .map(({ document }) => document)
    .reduce<ClaimsDocument | undefined>(
      (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
      undefined,
    );
}

/** Whether the claims are of this account and a trusted issuer signed them. */
export const isItsOwn = ({ account }: Observation, claims: StoredClaims, operator: Operator): boolean =>
  claims.document.claims.sub === account && isTrusted(claims, operator);

export type Loaded = Extract<RunningAccount, { loaded: true }>;

/** The servers that have the account loaded. */
export function loaded({ running }: Pick<Observation, "running">): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}
