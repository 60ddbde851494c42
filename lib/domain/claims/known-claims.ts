import { EVEN_UNPROVED, type JournalEntry, lastClaims } from "../journal/journal.ts";
import type { IsProved } from "../journal/journal-proof.ts";
import type { Observation } from "../observation/observation.ts";
import { unreadable } from "../verdict/claims-findings.ts";
import type { ClaimsDocument } from "./claims.ts";
import { isTrusted, type SourceView } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/** Claims of an account besides those in force. */
export interface KnownClaims {
  /**
   * The claims to renew: those in force. If there are none (a full resolver deletes expired JWTs), the newer of the
   * source's, if trusted, and the journal's, if proved. A newer JWT in the source never replaces claims in force, because
   * nobody would have reviewed that change. Undefined if running claims are unreadable.
   */
  readonly renewable: ClaimsDocument | undefined;
  /** The journal's last claims, if proved; undefined while any are in force. */
  readonly lastSeen: ClaimsDocument | undefined;
  /** The same for comparisons, as by the gate: an unproved entry must not make the gate less strict. */
  readonly comparable: ClaimsDocument | undefined;
  /** The newest entry with claims, if none is proved; undefined while any are in force. */
  readonly unproved: JournalEntry | undefined;
}

interface Sources {
  readonly observation: Observation;
  readonly inForce: ClaimsDocument | undefined;
  readonly source: SourceView | undefined;
  /** The entries `claims.seen` of the account; needed only if {@link needsJournal}. */
  readonly seen: readonly JournalEntry[];
  readonly operator: Operator;
  readonly isProved: IsProved;
}

/** Whether the journal is needed: not if there are readable claims in force. */
export const needsJournal = ({ observation, inForce }: Pick<Sources, "observation" | "inForce">): boolean =>
  inForce === undefined || unreadable(observation) !== undefined;

export function knownClaims(sources: Sources): KnownClaims {
  const { observation, inForce, seen, isProved } = sources;
  const lastAny = lastClaims(seen, EVEN_UNPROVED);
  const proved = inForce === undefined ? lastClaims(seen, isProved) : undefined;
  const unproved = inForce === undefined && proved === undefined ? seen.at(-1) : undefined;
  if (unreadable(observation) !== undefined)
    return { renewable: undefined, lastSeen: undefined, comparable: lastAny, unproved };
  const renewable = inForce ?? newer(claimsFromSource(sources), proved);
  return { renewable, lastSeen: proved, comparable: renewable ?? lastAny, unproved };
}

function newer(fromSource: ClaimsDocument | undefined, seen: ClaimsDocument | undefined): ClaimsDocument | undefined {
  if (seen === undefined || fromSource === undefined) return fromSource ?? seen;
  return fromSource.claims.iat > seen.claims.iat ? fromSource : seen;
}

function claimsFromSource({ source, operator }: Sources): ClaimsDocument | undefined {
  if (source === undefined || !source.sourced.ok || source.sourced.value.state !== "found") return undefined;
  const { claims } = source.sourced.value;
  return isTrusted(claims, operator) ? claims.document : undefined;
}
