import { type ClaimsDocument, diffClaims } from "../claims/claims.ts";
import { claimsInForce, loaded } from "../claims/claims-in-force.ts";
import type { Operator } from "../claims/operator.ts";
import { RENEWAL_CLAIMS } from "../gate/gate.ts";
import type { Observation } from "./observation.ts";

/**
 * Why the independent readings of an account's claims are no sound ground to renew it on; undefined if at least two
 * are there and agree: what every server runs, what the resolver holds, and what the journal knew before this look.
 * Between the journal and the others only what a renewal may change can differ.
 */
export function disagreement(
  observation: Observation,
  operator: Operator,
  known: ClaimsDocument | undefined,
): string | undefined {
  const running = loaded(observation);
  const stored = observation.stored.ok ? observation.stored.value?.document : undefined;
  const inForce = claimsInForce(observation, operator) ?? known;
  if (inForce === undefined) return "nobody knows its claims";

  const odd = running.filter(({ document }) => document.text !== inForce.text).map(({ server }) => server);
  if (odd.length > 0) return `${odd.join(", ")} ${odd.length === 1 ? "runs" : "run"} other claims`;
  if (stored !== undefined && stored.text !== inForce.text) return "the resolver holds other claims";
  const changed = known === undefined ? [] : foreignChanges(known, inForce);
  if (changed.length > 0) return `since Relight last knew it, it was changed in ${changed.join(", ")}`;

  const readings = [running.length > 0, stored !== undefined, known !== undefined];
  return readings.filter(Boolean).length < 2 ? "there is only one reading of its claims" : undefined;
}

function foreignChanges(before: ClaimsDocument, after: ClaimsDocument): readonly string[] {
  const paths = diffClaims(before, after).map(({ path }) => path);
  return paths.filter((path) => !RENEWAL_CLAIMS.includes(path));
}
