import { shortId } from "../claims/account.ts";
import { isJsonObject } from "../time/json.ts";
import { clip } from "../time/text.ts";
import { type FailureClass, textOf } from "./classes.ts";
import type { Incident } from "./incident.ts";
import { clock, spokenDuration } from "./page-end.ts";

/** Where pages send people who configured nothing else: to the class's section of Relight's own runbook. */
export const RUNBOOK = "docs/runbook.md#{class}";

/** Links for pages; `{class}`, `{account}` and `{name}` are replaced by the incident's. */
export interface Links {
  readonly runbook?: string;
  readonly console?: string;
}

/** An incident as text, for all channels. At most about 20 kB. */
export interface PageText {
  readonly title: string;
  readonly parts: readonly PagePart[];
  readonly links: readonly { readonly text: string; readonly href: string }[];
  /** The last lines: the account's whole id, and the id to search logs and journal for. */
  readonly references: readonly string[];
}

export interface PagePart {
  readonly heading: string;
  readonly lines: readonly string[];
  /** Whether the lines are to be typed as they are. */
  readonly isCommand?: true;
}

/** Characters. The journal has the full text. */
const LONGEST_LINE = 500;
const LONGEST_COMMAND = 1_000;
const LONGEST_NAME = 60;
const MOST_LINES = 10;

/**
 * The page's text: what users notice, since when, what is wrong, what was tried, what to do, links. Does not redact
 * secrets, so the incident must not contain any.
 */
export function pageText(incident: Incident, links: Links = {}): PageText {
  return {
    title: titleOf(incident),
    parts: incident.status === "resolved" ? resolvedParts(incident) : openParts(incident),
    links: linksOf(incident, links),
    references: referencesOf(incident),
  };
}

/** The whole text as lines. */
export function textLines({ title, parts, links, references }: PageText): readonly string[] {
  const paragraphs = parts.flatMap(({ heading, lines }) => ["", `${heading}:`, ...lines]);
  const last = [links.map(linkLine), references].flatMap((lines) => (lines.length === 0 ? [] : ["", ...lines]));
  return [title, ...paragraphs, ...last];
}

export function linkLine({ text, href }: PageText["links"][number]): string {
  return `${text}: ${href}`;
}

/** The name first: a person on call asks which account it is before anything else. */
function titleOf(incident: Incident): string {
  const { status, severity, failureClass, summary } = incident;
  const mood = status === "resolved" ? "RESOLVED" : severity.toUpperCase();
  const what = status === "resolved" ? summary : textOf(failureClass).title;
  return clip(`[${mood}] ${whoOf(incident)}: ${what}`, 140);
}

/** `APP (ADGRJK…MB4R)` */
function whoOf({ account, accountName }: Incident): string {
  if (account === "-") return clip(accountName, LONGEST_NAME);
  const id = shortId(account);
  return accountName === account ? id : `${clip(accountName, LONGEST_NAME)} (${id})`;
}

function openParts(incident: Incident): readonly PagePart[] {
  const { impact, since, summary, also = [], was, advice, command } = incident;
  const before = was === undefined ? [] : [`Before: ${was}.`];
  return [
    part("Impact", impact === undefined ? [] : [impact]),
    part("Since", [`${clock(since)} (${lasted(incident)})`, ...before]),
    part("What is wrong", unique([summary, ...also])),
    part("What Relight tried", tried(incident)),
    part("What to do now", unique(advice)),
    commandPart(command),
  ].filter(({ lines }) => lines.length > 0);
}

function resolvedParts(incident: Incident): readonly PagePart[] {
  const { since, at, was, also = [], command } = incident;
  const journal = command === undefined ? [] : [`\`${command}\` shows what Relight saw and did.`];
  return [
    part("What was wrong", was === undefined ? [] : [was]),
    part("How long", [`from ${clock(since)} to ${clock(at)} (${spokenDuration(incident)})`]),
    part("What ended it", [...also, ...journal]),
  ].filter(({ lines }) => lines.length > 0);
}

function part(heading: string, lines: readonly string[]): PagePart {
  const shown = lines.slice(0, MOST_LINES).map((line) => clip(line, LONGEST_LINE));
  const more = lines.length - shown.length;
  return { heading, lines: more > 0 ? [...shown, `… and ${more} more (\`relight journal\`)`] : shown };
}

/** Half a command would be another command. */
function commandPart(command: string | undefined): PagePart {
  const fits = command !== undefined && command.length <= LONGEST_COMMAND;
  return { heading: "Run this", lines: fits ? [command] : [], isCommand: true };
}

const unique = (lines: readonly string[]): readonly string[] => [...new Set(lines)];

/** Classes that remedies are for. */
const HEALED: readonly FailureClass[] = ["jetstream_dead", "degraded"];

/** The remedies in the evidence; nothing if the job applied the ladder to nothing. */
function tried({ evidence, failureClass }: Incident): readonly string[] {
  const { rungs, mode } = isJsonObject(evidence) ? evidence : {};
  if (!Array.isArray(rungs)) return [];
  const isAllowed = isJsonObject(mode) && ["heal", "heal-with-loss"].includes(String(mode["mode"]));
  if (rungs.length === 0) return isAllowed && HEALED.includes(failureClass) ? ["nothing, because no remedy fits"] : [];
  return rungs.filter(isJsonObject).map(({ rung, target, result, why }) => {
    const place = typeof target === "string" && !/^A[A-Z2-7]{55}$/.test(target) ? ` of ${target}` : "";
    return `${String(rung)}${place}: ${String(result)} (${String(why)})`;
  });
}

function referencesOf({ account, correlation }: Incident): readonly string[] {
  return [
    ...(account === "-" ? [] : [`Account id: ${account}`]),
    ...(correlation === undefined ? [] : [clip(`Correlation id: ${correlation}`, 200)]),
  ];
}

function linksOf(incident: Incident, { runbook, console }: Links): PageText["links"] {
  const named = [
    { text: "Runbook", href: runbook },
    { text: "Console", href: console },
  ];
  return named.flatMap(({ text, href }) => (href === undefined ? [] : [{ text, href: filled(href, incident) }]));
}

function filled(href: string, { failureClass, account, accountName }: Incident): string {
  const values: Readonly<Record<string, string>> = { class: failureClass, account, name: accountName };
  return href.replace(/\{(class|account|name)\}/g, (_, key) => encodeURIComponent((values[key] ?? "").toWellFormed()));
}

function lasted(incident: Incident): string {
  const isNew = !(Date.parse(incident.at) > Date.parse(incident.since));
  return isNew ? "just noticed" : `for ${spokenDuration(incident)}`;
}
