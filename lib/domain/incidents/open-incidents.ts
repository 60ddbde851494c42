import { type JournalEntry, openIncidents } from "../journal/journal.ts";
import { isoTime } from "../time/time.ts";
import { DOWN, type FailureClass, textOf } from "./classes.ts";
import { clock } from "./page-end.ts";
import { openingsOf } from "./repeats.ts";

/** An incident that is not resolved, as the journal has it. */
export interface OpenIncident {
  readonly key: string;
  /** Its `incident.opened` entries since its last resolution, oldest first. */
  readonly openings: readonly JournalEntry[];
  /** The last page that was sent or tried; absent if nobody was to be paged yet. */
  readonly last?: JournalEntry;
  /** What is wrong, according to the last page and what has waited since. */
  readonly classes: readonly FailureClass[];
}

/** Since when it is as it is now, and what was wrong before. */
export interface IncidentHistory {
  /** ISO 8601, UTC; undefined if it is so only now. */
  readonly since?: string;
  /** What was wrong before, and since when, to follow "Before:". */
  readonly was?: string;
}

/**
 * Since when it is as it is now. While users notice something, another class goes on with the same outage: an account that expired, and whose JetStream is dead once it is renewed, has been down since it expired.
 */
export function historyOf(open: OpenIncident | undefined, failureClass: FailureClass): IncidentHistory {
  const pages = (open?.openings ?? []).filter(({ data }) => data["delivery"] !== "waiting");
  const goesOn = (entry: JournalEntry): boolean =>
    classIn(entry) === failureClass || (DOWN.includes(failureClass) && DOWN.includes(classIn(entry)));
  const begins = pages.findLastIndex((entry) => !goesOn(entry)) + 1;
  const current = pages[begins];
  const before = pages[begins - 1] ?? pages.findLast((entry) => classIn(entry) !== failureClass);
  const first = before && pages.find((entry) => classIn(entry) === classIn(before));
  return {
    ...(current === undefined ? {} : { since: sinceIn(current) }),
    ...(first === undefined ? {} : { was: `${textOf(classIn(first)).title}, since ${clock(sinceIn(first))}` }),
  };
}

const classIn = ({ data }: JournalEntry): FailureClass => String(data["failureClass"]) as FailureClass;

/** Older entries have it only if it is not when they were written. */
function sinceIn({ at, data }: JournalEntry): string {
  return typeof data["since"] === "string" ? data["since"] : isoTime(at);
}

/** The open incidents; `entries` of one account, oldest first. */
export function openIncidentsOf(entries: readonly JournalEntry[]): readonly OpenIncident[] {
  return openIncidents(entries).map((key) => {
    const openings = openingsOf(entries, key);
    const at = openings.findLastIndex(({ data }) => data["delivery"] !== "waiting");
    const last = openings[at];
    const classes = new Set(openings.slice(Math.max(0, at)).flatMap(classesIn));
    return { key, openings, classes: [...classes], ...(last === undefined ? {} : { last }) };
  });
}

/** Older entries have only the worst class. */
function classesIn({ data }: JournalEntry): readonly FailureClass[] {
  const { classes, failureClass } = data;
  return (Array.isArray(classes) ? classes.map(String) : [String(failureClass)]) as FailureClass[];
}
