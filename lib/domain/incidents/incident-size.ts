import { defined } from "../time/defined.ts";
import type { JsonObject } from "../time/json.ts";
import type { Incident } from "./incident.ts";

const CUT = "too large to send; `relight journal` has it";
/** Characters, and lines; pages show no more of them. */
const LONGEST_TEXT = 1_000;
const MOST_LINES = 20;

/**
 * The incident, or as much of it as fits: first without its evidence but for what was tried, which the page tells of,
 * then without any, then with shorter texts. What is cut says so.
 */
export function fitted(incident: Incident, fits: (candidate: Incident) => boolean): Incident {
  const { evidence } = incident;
  const tried: JsonObject = defined({ rungs: evidence["rungs"] });
  const candidates = [
    incident,
    { ...incident, evidence: { ...tried, cut: CUT } },
    { ...incident, evidence: { cut: CUT } },
  ];
  return candidates.find(fits) ?? shortened(incident);
}

function shortened(incident: Incident): Incident {
  const { summary, advice, accountName } = incident;
  return {
    ...incident,
    summary: short(summary),
    accountName: short(accountName),
    advice: advice.slice(0, MOST_LINES).map(short),
    evidence: { cut: CUT },
  };
}

/** Not cut between the halves of a character that needs two. */
function short(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
