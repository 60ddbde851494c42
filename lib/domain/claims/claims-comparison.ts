import type { Probe, RunningAccount, StoredClaims } from "../observation/observation.ts";
import { type ClaimChange, type ClaimsDocument, diffClaims } from "./claims.ts";
import { type Loaded, loaded as loadedOn } from "./claims-in-force.ts";
import { differenceOf, isTrusted, type SourceAccount } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/** The claims of one account in each place. */
export interface Places {
  /** Absent if no source of truth is configured. */
  readonly source?: Probe<SourceAccount>;
  /** Failed with `nats.no_resolver` if no server has a full resolver: then only the servers' claims can be compared. */
  readonly stored: Probe<StoredClaims | undefined>;
  readonly running: Probe<readonly RunningAccount[]>;
}

/** The changes from one place to another. */
export interface Comparison {
  readonly from: string;
  readonly to: string;
  readonly changes: readonly ClaimChange[];
}

/** `missing`: the cluster lacks the account. `unknown`: a place could not be read, and the others are the same. */
export type ComparisonState = "same" | "differs" | "missing" | "unknown";

export interface ClaimsComparison {
  readonly state: ComparisonState;
  readonly comparisons: readonly Comparison[];
  /** Anything the comparisons do not show: absent or untrusted claims, and places that could not be read. */
  readonly notes: readonly string[];
}

/**
 * Compares the source of truth with the resolver, and the resolver with each server. Claims that were only renewed in the
 * cluster count as the same. Between the resolver and a server, every difference counts.
 */
export function compareClaims(places: Places, operator: Operator): ClaimsComparison {
  const { source, stored, running } = places;
  const loaded = loadedOn({ running });
  const isKept = stored.ok || stored.code !== "nats.no_resolver" || (running.ok && loaded.length === 0);
  const asked = [source, ...(isKept ? [stored] : []), running];
  const unasked = asked.flatMap((probe) => (probe?.ok === false ? [probe.message] : []));
  const sourced = source?.ok ? source.value : undefined;
  const unclear = sourced?.state === "unclear" ? [sourced.problem] : [];
  const held = stored.ok ? stored.value : undefined;
  const comparisons = comparisonsOf(sourced, held, loaded);
  const missing = missingNotes(sourced, stored, running, loaded);
  const others = [...absentInSource(sourced, held, loaded), ...untrustedNotes(sourced, held, operator)];
  const unknown = [...unasked, ...unclear];
  const differs = others.length > 0 || comparisons.some((one) => isDifference(one, sourced, held, loaded, operator));
  const state = missing.length > 0 ? "missing" : unknown.length > 0 ? "unknown" : differs ? "differs" : "same";
  return { state, comparisons, notes: [...missing, ...unknown, ...others] };
}

function comparisonsOf(
  sourced: SourceAccount | undefined,
  held: StoredClaims | undefined,
  loaded: readonly Loaded[],
): readonly Comparison[] {
  const compare = (from: string, a: ClaimsDocument, to: string, b: ClaimsDocument): Comparison[] => {
    const changes = diffClaims(a, b);
    return changes.length === 0 ? [] : [{ from, to, changes }];
  };
  const source = sourced?.state === "found" ? sourced.claims.document : undefined;
  const fromSource =
    source === undefined
      ? []
      : held !== undefined
        ? compare("source", source, "resolver", held.document)
        : loaded.flatMap(({ server, document }) => compare("source", source, server, document));
  // Without a resolver to compare with, servers must run the same claims.
  const [first, ...others] = loaded;
  const drift =
    held !== undefined
      ? loaded.flatMap(({ server, document }) => compare("resolver", held.document, server, document))
      : first === undefined
        ? []
        : others.flatMap(({ server, document }) => compare(first.server, first.document, server, document));
  return [...fromSource, ...drift];
}

function isDifference(
  { from }: Comparison,
  sourced: SourceAccount | undefined,
  held: StoredClaims | undefined,
  loaded: readonly Loaded[],
  operator: Operator,
): boolean {
  if (from !== "source" || sourced === undefined) return true;
  const others = held === undefined ? loaded.map(({ document }) => document) : [held.document];
  return others.some((document) => differenceOf(sourced, document, operator) !== undefined);
}

function missingNotes(
  sourced: SourceAccount | undefined,
  stored: Places["stored"],
  running: Places["running"],
  loaded: readonly Loaded[],
): string[] {
  if (!stored.ok || stored.value !== undefined || !running.ok) return [];
  if (loaded.length > 0)
    return ["the resolver lacks the account, or has only a part of its JWT: a restarted server could not load it"];
  return [
    sourced?.state === "found"
      ? "only the source of truth has the account; the servers and the resolver lack it"
      : "no server or resolver has the account",
  ];
}

function absentInSource(
  sourced: SourceAccount | undefined,
  held: StoredClaims | undefined,
  loaded: readonly Loaded[],
): string[] {
  const isSomewhere = held !== undefined || loaded.length > 0;
  return sourced?.state === "absent" && isSomewhere ? ["the source of truth lacks the account"] : [];
}

function untrustedNotes(
  sourced: SourceAccount | undefined,
  held: StoredClaims | undefined,
  operator: Operator,
): string[] {
  const of = (what: string, claims: StoredClaims | undefined): string[] =>
    claims === undefined || isTrusted(claims, operator)
      ? []
      : [`${what} has a JWT that the servers don't trust (issuer ${claims.document.claims.iss})`];
  const source = sourced?.state === "found" ? sourced.claims : undefined;
  return [...of("the source of truth", source), ...of("the resolver", held)];
}
