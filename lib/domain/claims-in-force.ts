import type { ClaimsDocument } from "./claims.ts";
import { isTrusted } from "./claims-source.ts";
import type { Observation, RunningAccount } from "./observation.ts";
import type { Operator } from "./operator.ts";

/**
 * The claims that count: the newest of those that run and of those in the resolver. The resolver takes
 * any JWT, so what lies there counts only if a trusted issuer signed it; servers checked what they run.
 */
export function claimsInForce(observation: Observation, operator: Operator): ClaimsDocument | undefined {
  const running = loaded(observation).map(({ document }) => document);
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const candidates =
    stored !== undefined && isTrusted(stored, operator) ? [...running, stored.document] : running;
  return candidates.reduce<ClaimsDocument | undefined>(
    (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
    undefined,
  );
}

type Loaded = Extract<RunningAccount, { loaded: true }>;

/** The servers that have the account loaded. */
export function loaded({ running }: Observation): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}
