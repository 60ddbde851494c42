import { textOf } from "../incidents/classes.ts";
import { describePage, type PageEnd } from "../incidents/page-end.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { type EpochMillis, epochMillis, type Millis, millis } from "../time/time.ts";
import type { Health } from "../verdict/verdict.ts";
import { describeEntry } from "./describe-entry.ts";
import type { EntryKind, JournalEntry } from "./journal.ts";

/** One line of a timeline. */
export interface TimelineStep {
  readonly at: EpochMillis;
  readonly tone: "bad" | "act" | "good" | "note";
  /** What kind of step it is, in one or two words: `seen`, `tried`, `proved`. */
  readonly label: string;
  readonly text: string;
  /** How long it took, if it is known. */
  readonly took?: Millis;
}

/** A part of an account's history. */
export type TimelineItem =
  /** From the first check that did not find the account healthy to the first one that did. */
  | {
      readonly kind: "outage";
      /** Since when it was so, as far as is known: at the latest when a check first saw it. */
      readonly began: EpochMillis;
      /** Absent while the outage lasts. */
      readonly ended?: EpochMillis;
      /** The worst verdict in it. */
      readonly health: Health;
      readonly steps: readonly TimelineStep[];
    }
  /** A job that did something while the account was healthy, such as a renewal. */
  | { readonly kind: "job"; readonly at: EpochMillis; readonly steps: readonly TimelineStep[] }
  /** Checks that found the account healthy and changed nothing. */
  | { readonly kind: "quiet"; readonly from: EpochMillis; readonly until: EpochMillis; readonly checks: number };

/** One job's entries, or one entry that belongs to no job. */
type Group = readonly JournalEntry[];

/**
 * What happened to an account, newest first.
 * @param entries of one account, oldest first
 */
export function timelineOf(entries: readonly JournalEntry[]): readonly TimelineItem[] {
  const items: TimelineItem[] = [];
  let outage: JournalEntry[] | undefined;
  let healthyAt: EpochMillis | undefined;
  for (const group of groupsOf(entries)) {
    const verdicts = group.filter(({ kind }) => kind === "verdict");
    const isBad = verdicts.some((entry) => healthIn(entry) !== "healthy");
    if (outage === undefined && !isBad) {
      add(items, group);
      healthyAt = verdicts.at(-1)?.at ?? healthyAt;
      continue;
    }
    outage = [...(outage ?? []), ...group];
    const last = verdicts.at(-1);
    if (last === undefined || healthIn(last) !== "healthy") continue;
    items.push(outageIn(outage, healthyAt));
    healthyAt = last.at;
    outage = undefined;
  }
  if (outage !== undefined) items.push(outageIn(outage, healthyAt));
  return items.toReversed();
}

/** Entries by job, in the order in which the jobs began. An order belongs to the job that it led to. */
function groupsOf(entries: readonly JournalEntry[]): readonly Group[] {
  const jobOf = new Map<unknown, string>();
  for (const { kind, job, data } of entries) if (kind === "job.started") jobOf.set(data["correlation"], job);
  const groups = new Map<string, JournalEntry[]>();
  for (const entry of entries) {
    const job = entry.kind === "job.requested" ? (jobOf.get(entry.data["correlation"]) ?? entry.job) : entry.job;
    const group = groups.get(job) ?? [];
    group.push(entry);
    groups.set(job, group);
  }
  return [...groups.values()];
}

const healthIn = ({ data }: JournalEntry): Health => String(data["verdict"]) as Health;

/** Adds a job of a healthy account: a step of its own if it did something. */
function add(items: TimelineItem[], group: Group): void {
  const steps = stepsOf(group);
  const [first] = group;
  if (first === undefined) return;
  if (steps.some(({ label }) => !QUIET.includes(label))) {
    items.push({ kind: "job", at: first.at, steps });
    return;
  }
  if (!group.some(({ kind }) => kind === "verdict")) return;
  const before = items.at(-1);
  const at = group.at(-1)?.at ?? first.at;
  if (before?.kind === "quiet") items[items.length - 1] = { ...before, until: at, checks: before.checks + 1 };
  else items.push({ kind: "quiet", from: first.at, until: at, checks: 1 });
}

/** Labels of steps that a check has that found nothing. */
const QUIET: readonly string[] = ["job", "healthy", "ended"];

const WORST: readonly Health[] = ["dead", "unknown", "degraded"];

/** @param healthyAt when a check last found the account healthy before; undefined if none is known */
function outageIn(entries: readonly JournalEntry[], healthyAt: EpochMillis | undefined): TimelineItem {
  const verdicts = entries.filter(({ kind }) => kind === "verdict");
  const bad = verdicts.filter((entry) => healthIn(entry) !== "healthy");
  const noticed = bad[0]?.at ?? entries[0]?.at ?? epochMillis(0);
  const last = verdicts.at(-1);
  const known = [
    ...bad.flatMap((entry) => expiriesIn(entry).map((at) => ({ at, by: "its claims expired then" }))),
    ...entries.flatMap(({ kind, data }) =>
      kind === "incident.opened" ? timeIn(data["since"]).map((at) => ({ at, by: "as far as is known" })) : [],
    ),
  ];
  // What a healthy check came after did not begin this outage.
  const earlier = known.filter(({ at }) => at < noticed && at >= (healthyAt ?? 0));
  const first = earlier.reduce<(typeof known)[number] | undefined>(
    (best, one) => (best === undefined || one.at < best.at ? one : best),
    undefined,
  );
  const began = epochMillis(first?.at ?? noticed);
  const health = WORST.find((one) => bad.some((entry) => healthIn(entry) === one)) ?? "unknown";
  const isOver = last !== undefined && healthIn(last) === "healthy";
  const steps = stepsOf(entries).map((step) => (step.at <= noticed && step.label === "job" ? seenBy(step) : step));
  const start: readonly TimelineStep[] =
    first === undefined ? [] : [{ at: began, tone: "bad", label: `${health} since`, text: first.by }];
  return { kind: "outage", began, health, steps: [...start, ...steps], ...(isOver ? { ended: last.at } : {}) };
}

/** When the claims in force had expired, according to a verdict; milliseconds. */
function expiriesIn({ data }: JournalEntry): readonly number[] {
  const findings = Array.isArray(data["findings"]) ? data["findings"].filter(isJsonObject) : [];
  return findings.flatMap(({ code, evidence }) => {
    const exp = isJsonObject(evidence) ? evidence["exp"] : undefined;
    return code === "account.expired" && typeof exp === "number" ? [exp * 1_000] : [];
  });
}

const seenBy = (step: TimelineStep): TimelineStep => ({ ...step, label: "seen by" });

function timeIn(value: Json | undefined): readonly number[] {
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? [] : [time];
}

/** What the entries say, in words; `entries` in order. What began and ended is one step, at its beginning. */
export function stepsOf(entries: readonly JournalEntry[]): readonly TimelineStep[] {
  const steps: TimelineStep[] = [];
  const told = new Set<JournalEntry>();
  let said = "";
  for (const [index, entry] of entries.entries()) {
    if (told.has(entry) || isOrdered(entry, entries)) continue;
    const end = endOf(entry, entries.slice(index + 1));
    if (end !== undefined) told.add(end);
    const step = stepOf(end ?? entry);
    // Checks that say the same again add nothing.
    const isRepeated = entry.kind === "verdict" && step?.text === said;
    if (entry.kind === "verdict") said = step?.text ?? "";
    if (step === undefined || isRepeated) continue;
    steps.push({ at: entry.at, ...step, ...(end && { took: millis(Math.max(0, end.at - entry.at)) }) });
  }
  return steps;
}

/** Whether the job's order says the same. */
const isOrdered = ({ kind, data }: JournalEntry, entries: readonly JournalEntry[]): boolean =>
  kind === "job.started" &&
  entries.some((one) => one.kind === "job.requested" && one.data["correlation"] === data["correlation"]);

/** What ends each kind that begins something, and the field that both have. */
const ENDS: Readonly<Partial<Record<EntryKind, readonly [kind: EntryKind, key: string]>>> = {
  "rung.started": ["rung.finished", "rung"],
  "push.started": ["push.proved", "purpose"],
};

function endOf({ kind, job, data }: JournalEntry, after: readonly JournalEntry[]): JournalEntry | undefined {
  const [end, key = ""] = ENDS[kind] ?? [];
  if (end === undefined) return undefined;
  return after.find((one) => one.kind === end && one.job === job && one.data[key] === data[key]);
}

/** One entry in words; undefined for bookkeeping. */
function stepOf(entry: JournalEntry): Omit<TimelineStep, "at"> | undefined {
  const { kind, data } = entry;
  const text = (key: string): string => String(data[key] ?? "");
  switch (kind) {
    case "job.requested":
      return { tone: "act", label: "ordered", text: describeEntry(entry) };
    case "job.started":
      return { tone: "note", label: "job", text: `${text("action")} (${text("trigger")}: ${text("reason")})` };
    case "verdict":
      return verdictStep(entry);
    case "rung.started":
      return { tone: "act", label: "tries", text: describeEntry(entry) };
    case "rung.finished":
      return rungStep(entry);
    case "push.started":
      return { tone: "act", label: "pushes", text: text("purpose") };
    case "push.proved":
      return { tone: "good", label: "proved", text: `${text("purpose")}: ${describeEntry(entry)}` };
    case "incident.opened":
      return {
        tone: "bad",
        label: "page",
        text: `${textOf(text("failureClass")).title}: ${pageEnd(text("delivery"))}`,
      };
    case "incident.resolved":
      return { tone: "good", label: "resolved", text: "the page is resolved" };
    case "job.finished":
      return finishedStep(entry);
    case "gate.refused":
      return { tone: "bad", label: "refused", text: describeEntry(entry) };
    case "loss.found":
    case "account.deleted":
      return { tone: "bad", label: kind === "loss.found" ? "lost" : "deleted", text: describeEntry(entry) };
    case "loss.acknowledged":
    case "account.forgotten":
    case "source.adopted":
      return { tone: "note", label: kind.split(".")[1] ?? kind, text: describeEntry(entry) };
    default:
      return undefined;
  }
}

function verdictStep(entry: JournalEntry): Omit<TimelineStep, "at"> {
  const health = healthIn(entry);
  if (health === "healthy") return { tone: "good", label: "healthy", text: "everything that was checked works" };
  const findings = Array.isArray(entry.data["findings"]) ? entry.data["findings"].filter(isJsonObject) : [];
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : "";
  return { tone: "bad", label: health, text: `${String(findings[0]?.["message"] ?? "no reason given")}${more}` };
}

function rungStep({ data }: JournalEntry): Omit<TimelineStep, "at"> {
  const result = String(data["result"]);
  const tone = result === "helped" ? "good" : result === "no_effect" ? "note" : "bad";
  return { tone, label: "tried", text: `${String(data["rung"])}: ${result} (${String(data["why"] ?? "")})` };
}

function finishedStep(entry: JournalEntry): Omit<TimelineStep, "at"> {
  const outcome = String(entry.data["outcome"]);
  const error = entry.data["error"];
  const why = isJsonObject(error) ? ` (${String(error["message"])})` : "";
  const tone = GOOD_ENDS.includes(outcome) ? "good" : BAD_ENDS.includes(outcome) ? "bad" : "note";
  if (tone === "good" && outcome !== "healthy") return { tone, label: outcome, text: "" };
  return { tone, label: "ended", text: `${outcome}${why}` };
}

const GOOD_ENDS: readonly string[] = ["healthy", "healed", "renewed", "pushed"];
const BAD_ENDS: readonly string[] = ["escalated", "unhealed", "refused", "failed"];

const pageEnd = (delivery: string): string => describePage({ delivery: delivery as PageEnd["delivery"] }) ?? delivery;
