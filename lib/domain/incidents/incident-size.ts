import { defined } from "../time/defined.ts";
import type { JsonObject } from "../time/json.ts";
import type { Incident } from "./incident.ts";

const CUT = "too large to send; see `relight journal`";
/** Limits of a page: characters of a text, and number of lines. */
const LONGEST_TEXT = 1_000;
const MOST_LINES = 20;

/**
 * The incident, or as much of it as fits: first it keeps only the evidence of remedies, which pages show, then no
 * evidence, then shorter texts. Cut parts say so.
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

function shortened({ command, ...incident }: Incident): Incident {
  const { summary, advice, accountName, impact, was, also } = incident;
  return {
    ...incident,
    ...defined({ impact: impact && short(impact), was: was && short(was) }),
    ...(also === undefined ? {} : { also: also.slice(0, MOST_LINES).map(short) }),
    // Half a command would be another command.
    ...(command !== undefined && command.length <= LONGEST_TEXT ? { command } : {}),
    summary: short(summary),
    accountName: short(accountName),
    advice: advice.slice(0, MOST_LINES).map(short),
    evidence: { cut: CUT },
  };
}

/** Does not cut a surrogate pair in two. */
function short(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
