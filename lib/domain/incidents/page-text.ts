import { isJsonObject } from "../time/json.ts";
import { epochMillis, formatDuration, millis } from "../time/time.ts";
import type { FailureClass, Incident } from "./incident.ts";

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
  /** The last line: the id to search logs and journal for. */
  readonly reference?: string;
}

export interface PagePart {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** Characters. The journal has the full text. */
const LONGEST_LINE = 500;
const MOST_LINES = 10;

const TITLES: Readonly<Record<FailureClass, string>> = {
  jetstream_dead: "JetStream is dead",
  account_expired: "the account has expired",
  account_deleted: "the account was deleted",
  renewal_failed: "the renewal failed",
  push_refused: "new claims were refused",
  account_missing: "the account is missing",
  claims_differ: "the claims in force differ from the source of truth",
  expiry_near: "the account expires soon and was not renewed",
  expiry_imminent: "the account is about to expire and was not renewed",
  readings_disagree: "not renewed, because readings of its claims disagree",
  operator_expiring: "the operator JWT expires soon or has expired",
  credentials_expiring: "credentials expire soon or have expired",
  activation_expiring: "an import's activation token expires soon or has expired",
  certificate_expiring: "a certificate expires soon or has expired",
  signing_key_retiring: "a retiring signing key is still in use",
  assets_lost: "streams, consumers or messages were lost",
  limits_reached: "a limit is reached",
  journal_unproved: "the journal has an entry without a valid proof",
  degraded: "something works, but not as it should",
  unknown: "its health is unknown",
  cluster_unreachable: "the cluster can't be checked",
  stack_alarm: "an alarm of Relight's own stack",
};

/**
 * The page's text: what is wrong, since when, who is affected, what was tried, what to do now, links. Does not redact
 * secrets, so the incident must not contain any.
 */
export function pageText(incident: Incident, links: Links = {}): PageText {
  const { status, severity, accountName, failureClass } = incident;
  const label = status === "resolved" ? "RESOLVED" : severity.toUpperCase();
  return {
    title: clip(`[${label}] ${accountName}: ${TITLES[failureClass] ?? failureClass}`, 140),
    parts: status === "resolved" ? resolvedParts(incident) : openParts(incident),
    links: linksOf(incident, links),
    ...(incident.correlation === undefined ? {} : { reference: clip(`Correlation id: ${incident.correlation}`, 200) }),
  };
}

/** The whole text as lines. */
export function textLines({ title, parts, links, reference }: PageText): readonly string[] {
  const paragraphs = parts.flatMap(({ heading, lines }) => ["", `${heading}:`, ...lines]);
  const last = reference === undefined ? [] : ["", reference];
  return [title, ...paragraphs, ...(links.length > 0 ? [""] : []), ...links.map(linkLine), ...last];
}

export function linkLine({ text, href }: PageText["links"][number]): string {
  return `${text}: ${href}`;
}

function openParts(incident: Incident): readonly PagePart[] {
  const advice = incident.advice.length > 0 ? incident.advice : [`Run \`${closer(incident)}\`.`];
  return [
    part("What is wrong", [incident.summary]),
    part("Since", [`${clock(incident.since)} (${lasted(incident)})`]),
    part("Who is affected", [affected(incident)]),
    part("What was tried", tried(incident)),
    part("What to do now", advice),
  ].filter(({ lines }) => lines.length > 0);
}

function resolvedParts(incident: Incident): readonly PagePart[] {
  return [
    part("What was wrong", [incident.summary]),
    part("How long", [`from ${clock(incident.since)} to ${clock(incident.at)} (${lasted(incident)})`]),
    part("Who was affected", [affected(incident)]),
    part("What ended it", ended(incident)),
  ].filter(({ lines }) => lines.length > 0);
}

/** The job that noticed the end may have healed the account or found it healthy; its journal entries tell. */
function ended({ account, accountName, correlation }: Incident): readonly string[] {
  if (account === "-" || correlation === undefined) return [];
  return [`\`relight journal ${accountName} --correlation ${correlation}\` shows what Relight saw and did.`];
}

function part(heading: string, lines: readonly string[]): PagePart {
  const shown = lines.slice(0, MOST_LINES).map((line) => clip(line, LONGEST_LINE));
  const more = lines.length - shown.length;
  return { heading, lines: more > 0 ? [...shown, `… and ${more} more (\`relight journal\`)`] : shown };
}

/** The remedies in the evidence; undefined if the job applied the ladder to nothing. */
function tried({ evidence }: Incident): readonly string[] {
  const rungs = isJsonObject(evidence) ? evidence["rungs"] : undefined;
  if (!Array.isArray(rungs)) return [];
  if (rungs.length === 0) return ["nothing, because no remedy fits"];
  return rungs.filter(isJsonObject).map(({ rung, target, result, why }) => {
    const place = typeof target === "string" && !/^A[A-Z2-7]{55}$/.test(target) ? ` of ${target}` : "";
    return `${String(rung)}${place}: ${String(result)} (${String(why)})`;
  });
}

function affected({ account, accountName, failureClass }: Incident): string {
  if (failureClass === "stack_alarm") return `Relight itself (${accountName})`;
  if (account === "-") return "the whole cluster";
  return accountName === account ? `account ${account}` : `account ${accountName} (${account})`;
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
  return href.replace(/\{(class|account|name)\}/g, (_, key) => encodeURIComponent(values[key] ?? ""));
}

/** `2030-01-01 00:00 UTC` */
function clock(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}

function lasted({ since, at, status }: Incident): string {
  const length = millis(epochMillis(Date.parse(at)) - epochMillis(Date.parse(since)));
  if (length <= 0) return status === "open" ? "just noticed" : "a moment";
  return status === "open" ? `for ${formatDuration(length)}` : formatDuration(length);
}

function closer({ account, failureClass, accountName }: Incident): string {
  if (failureClass === "stack_alarm") return `aws cloudwatch describe-alarms --alarm-names ${accountName}`;
  return account === "-" ? "relight doctor" : `relight verify ${account}`;
}

/** On one line, with at most `length` characters. */
function clip(text: string, length: number): string {
  const line = text.replace(/\s*\n\s*/g, " ").trim();
  if (line.length <= length) return line;
  // Do not cut a surrogate pair in two.
  const cut = line.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, "");
  return `${cut}…`;
}
