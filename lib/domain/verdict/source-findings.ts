import { claimsInForce } from "../claims/claims-in-force.ts";
import { type Difference, differenceOf, fingerprintOf, type SourceView } from "../claims/claims-source.ts";
import type { Operator } from "../claims/operator.ts";
import { RENEWAL_CLAIMS } from "../gate/gate.ts";
import type { Observation } from "../observation/observation.ts";
import { finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/** Differences between the source of truth and the cluster, except adopted ones. */
export function sourceFindings(observation: Observation, operator: Operator, view: SourceView | undefined): Finding[] {
  if (view === undefined) return [];
  const { name, sourced } = view;
  if (!sourced.ok) return [unavailable(name, sourced.message)];
  if (sourced.value.state === "unclear") return [unavailable(name, sourced.value.problem)];
  const difference = openDifference(observation, operator, view);
  return difference === undefined ? [] : [differenceFinding(name, difference)];
}

/** The difference, unless it was adopted. Also undefined if the cluster did not answer. */
export function openDifference(
  observation: Observation,
  operator: Operator,
  { sourced, adopted }: SourceView,
): Difference | undefined {
  if (!sourced.ok || !isAnswered(observation)) return undefined;
  const difference = differenceOf(sourced.value, claimsInForce(observation, operator), operator);
  if (difference === undefined) return undefined;
  return fingerprintOf(difference, sourced.value) === adopted ? undefined : difference;
}

/** If the cluster did not answer, other findings say so. */
function isAnswered({ running, stored }: Observation): boolean {
  return running.ok && (stored.ok || stored.code === "nats.no_resolver");
}

function unavailable(name: string, problem: string): Finding {
  return finding("source.unavailable", "unknown", {}, `the source of truth ${name}: ${problem}`);
}

function differenceFinding(name: string, difference: Difference): Finding {
  switch (difference.kind) {
    case "missing":
      return finding(
        "source.missing_account",
        "dead",
        {},
        `${name} has the account, but no server or resolver has it`,
        {},
        "push its JWT: `relight push FILE`",
      );
    case "unknown":
      return finding(
        "source.unknown_account",
        "degraded",
        {},
        `the account runs, but ${name} lacks it`,
        {},
        "add it there, or delete it",
      );
    case "untrusted": {
      const message = `${name} has a JWT of the account that the servers don't trust (issuer ${difference.issuer})`;
      return finding("source.differs", "degraded", {}, message, { issuer: difference.issuer });
    }
    case "differs":
      return differs(name, difference);
  }
}

function differs(name: string, { newer, changes }: Extract<Difference, { kind: "differs" }>): Finding {
  const lasting = changes.map(({ path }) => path).filter((path) => !RENEWAL_CLAIMS.includes(path));
  const where = newer === "source" ? `${name} has newer claims` : `the claims in force are newer than those of ${name}`;
  const what = lasting.length === 0 ? "only renewed" : `different in ${lasting.join(", ")}`;
  const advice = "push those of the source, or put those in force there";
  return finding("source.differs", "degraded", {}, `${where}, ${what}`, { newer, claims: lasting }, advice);
}
