import { type ClaimsDocument, diffClaims } from "../claims/claims.ts";
import { claimsInForce, loaded } from "../claims/claims-in-force.ts";
import type { Operator } from "../claims/operator.ts";
import { RENEWAL_CLAIMS } from "../gate/gate.ts";
import type { Observation } from "./observation.ts";

/**
 * Why the independent readings of an account's claims do not justify a renewal; undefined if there are at least two and
 * they agree. Readings are what every server runs, what the resolver holds, and what the journal had before. The journal
 * may differ from the others only in what a renewal changes.
 */
export function disagreement(
  observation: Observation,
  operator: Operator,
  known: ClaimsDocument | undefined,
): string | undefined {
  const running = loaded(observation);
  const stored = observation.stored.ok ? observation.stored.value?.document : undefined;
  const inForce = claimsInForce(observation, operator) ?? known;
  if (inForce === undefined) return "its claims are unknown";

  const odd = running.filter(({ document }) => document.text !== inForce.text).map(({ server }) => server);
  if (odd.length > 0) return `${odd.join(", ")} ${odd.length === 1 ? "runs" : "run"} different claims`;
  if (stored !== undefined && stored.text !== inForce.text) return "the resolver holds different claims";
  const changed = known === undefined ? [] : foreignChanges(known, inForce);
  if (changed.length > 0) return `its claims differ from the journal's in ${changed.join(", ")}`;

  const readings = [running.length > 0, stored !== undefined, known !== undefined];
  return readings.filter(Boolean).length < 2 ? "there is only one reading of its claims" : undefined;
}

function foreignChanges(before: ClaimsDocument, after: ClaimsDocument): readonly string[] {
  const paths = diffClaims(before, after).map(({ path }) => path);
  return paths.filter((path) => !RENEWAL_CLAIMS.includes(path));
}
