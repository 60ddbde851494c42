import { html } from "hono/html";
import { shortId } from "../../lib/domain/claims/account.ts";
import type { Blackout } from "../../lib/domain/expiry/blackouts.ts";
import type { RenewalStorm } from "../../lib/domain/expiry/calendar.ts";
import type { OpenIncident } from "../../lib/domain/incidents/open-incidents.ts";
import { counted } from "../../lib/domain/time/text.ts";
import { type EpochMillis, formatDuration, isoTime } from "../../lib/domain/time/time.ts";
import type { Health } from "../../lib/domain/verdict/verdict.ts";
import { ageOf, alarmOfRow, type FleetPage, type FleetRow, standingOf } from "../../lib/usecases/reports/fleet.ts";
import type { Gap } from "../known-accounts.ts";
import { type Axis, axisHead, legend, SPANS, type Span, timeLine } from "./axis.ts";
import { incidents } from "./incident.ts";
import { badge, fromNow, type Html, moment, nameOf, said, second } from "./layout.ts";

/** What the query of the fleet's address says. */
export interface FleetQuery {
  readonly health?: Health | undefined;
  readonly search: string;
  readonly page: number;
  /** Chosen by the person; otherwise the page chooses. */
  readonly span?: Span | undefined;
}

/** A line of the page: the account and what belongs to it. */
export interface FleetLine {
  readonly row: FleetRow;
  /** What a person was or is to be paged about; absent if nothing. */
  readonly incident?: string | undefined;
  readonly blackouts: readonly Blackout[];
}

export interface FleetView {
  readonly query: FleetQuery;
  readonly counts: Readonly<Record<Health, number>>;
  /** Why accounts may be missing from the list. */
  readonly gap: Gap | undefined;
  readonly page: FleetPage;
  readonly lines: readonly FleetLine[];
  readonly axis: Axis;
  readonly storms: readonly RenewalStorm[];
  /** Those of the whole cluster. */
  readonly incidents: readonly OpenIncident[];
  readonly runbookOf: (failureClass: string) => string | undefined;
  /** When the list was read. */
  readonly at: EpochMillis;
  readonly now: EpochMillis;
}

/** All accounts, most urgent first. */
export function fleetView(view: FleetView): Html {
  const { page, lines, axis, storms, now, at, query } = view;
  return html`<h1>Accounts</h1>
${incidents(view.incidents, view.runbookOf)}
${filters(view)}
${gapNote(view.gap)}${stormsNote(storms)}
${lines.length === 0 ? nothing(view) : ""}
<div class="below">${legend(storms.length > 0)}${spans(query, axis.span)}</div>
<div class="fleet" role="table" aria-label="Accounts">
<div class="row head" role="row"><span role="columnheader">Account</span><span role="columnheader">Verdict</span>
<span role="columnheader">Expires</span><span role="columnheader">Renewal</span><span role="columnheader">Checked</span>
<span class="axis" role="columnheader">${axisHead(axis, storms)}</span></div>
${lines.map((line) => fleetLine(line, axis, now))}
</div>
${pager(query, page)}
<p class="dim">Verdicts as the journal has them, ${isoTime(at).slice(11, 19)} UTC. All times are UTC.</p>`;
}

function nothing({ query, counts }: FleetView): Html {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (all === 0)
    return html`<p>No account is known yet: neither the configuration nor the journal names one, and the cluster listed none.</p>`;
  return html`<p>No account matches. <a href="/">Show all ${counted(all, "account")}</a>${query.search === "" ? "" : "."}</p>`;
}

const ORDER: readonly Health[] = ["dead", "unknown", "degraded", "healthy"];

function filters({ counts, query }: FleetView): Html {
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const tab = (health: Health | undefined, count: number, shown: unknown): Html =>
    html`<a href="${address(query, { health, page: 1 })}" ${query.health === health ? html`aria-current="true"` : ""}>${shown} <b>${count}</b></a>`;
  return html`<div class="filters"><nav class="tabs" aria-label="By verdict">${tab(undefined, all, "All")}
${ORDER.map((health) => tab(health, counts[health], badge(health)))}</nav>
<form method="get" action="/" role="search">${query.health === undefined ? "" : html`<input type="hidden" name="verdict" value="${query.health}">`}
<input type="search" name="q" value="${query.search}" aria-label="Name or id" placeholder="Name or id" maxlength="100" autocomplete="off"><button>Search</button></form></div>`;
}

/** The address of the page with these changes to the query. */
function address(query: FleetQuery, changes: Partial<FleetQuery>): string {
  const { health, search, page, span } = { ...query, ...changes };
  const fields = new URLSearchParams();
  if (health !== undefined) fields.set("verdict", health);
  if (search !== "") fields.set("q", search);
  if (span !== undefined) fields.set("span", span);
  if (page > 1) fields.set("page", String(page));
  return fields.size === 0 ? "/" : `/?${fields}`;
}

function gapNote(gap: Gap | undefined): Html | "" {
  if (gap === undefined) return "";
  if (gap.state === "reading")
    return html`<p class="note">The cluster is being asked for its accounts. Until it has answered, those that were never checked are missing here.</p>`;
  return html`<p class="note">The cluster could not be asked for its accounts at ${second(gap.at)}: ${said(gap.why, 300)}. Those that were never checked may be missing here.</p>`;
}

function stormsNote(storms: readonly RenewalStorm[]): Html | "" {
  const [first] = storms;
  if (first === undefined) return "";
  const more = storms.length > 1 ? `, and ${storms.length - 1} more` : "";
  return html`<p class="note">Renewal storm: up to ${first.perHour} renewals within an hour around ${moment(first.from)} UTC${more}. A wider renewal window spreads them.</p>`;
}

function fleetLine({ row, incident, blackouts }: FleetLine, axis: Axis, now: EpochMillis): Html {
  const { account, name, last, runningSince } = row;
  const standing = standingOf(row, now);
  const title = name === "" ? html`<span class="dim">no name</span>` : nameOf(name);
  const running = runningSince === undefined ? "" : html`<small class="running">a job is running</small>`;
  const why = standing.why ?? (last?.withdrawn ? "somebody deleted it" : undefined);
  return html`<div class="row ${standing.health}" role="row">
<span class="who" role="cell"><a href="/account/${account}">${title}</a><small class="id">${shortId(account)}</small></span>
<span role="cell">${badge(standing.health)}${running}${incident === undefined ? "" : html`<small class="incident">${incident}</small>`}${why === undefined ? "" : html`<small>${why}</small>`}</span>
<span role="cell" data-label="Expires">${expiryCell(row, now)}</span>
<span role="cell" data-label="Renewal">${renewalCell(row, now)}</span>
<span role="cell" data-label="Checked">${checkedCell(row, now)}</span>
<span class="axis" role="cell">${timeLine(axis, last ?? {}, blackouts)}</span></div>`;
}

function expiryCell(row: FleetRow, now: EpochMillis): Html {
  const { last } = row;
  if (last?.expiresAt === undefined) return last?.jti === undefined ? html`?` : html`never`;
  const alarm = alarmOfRow(row, now);
  return html`${moment(last.expiresAt)}<small class="${alarm === "none" ? "" : alarm}">${fromNow(last.expiresAt, now)}</small>`;
}

function renewalCell({ last }: FleetRow, now: EpochMillis): Html {
  if (last?.expiresAt === undefined) return html`${last?.jti === undefined ? "?" : ""}`;
  if (last.withdrawn) return html`no: deleted`;
  if (last.renewAt === undefined) return last.opensAt === undefined ? html`?` : html`by hand`;
  const when = last.renewAt <= now ? "due" : fromNow(last.renewAt, now);
  return html`${moment(last.renewAt)}<small>${when}</small>`;
}

function checkedCell(row: FleetRow, now: EpochMillis): Html {
  const age = ageOf(row, now);
  return age === undefined ? html`never` : html`${formatDuration(age)} ago`;
}

const SPAN_NAMES: Readonly<Record<Span, string>> = {
  day: "1 day",
  week: "1 week",
  month: "1 month",
  quarter: "3 months",
  half: "6 months",
  year: "1 year",
};

function spans(query: FleetQuery, current: Span): Html {
  const names = Object.keys(SPANS) as Span[];
  return html`<nav class="spans" aria-label="Time axis">${names.map(
    (span) =>
      html`<a href="${address(query, { span })}" ${span === current ? html`aria-current="true"` : ""}>${SPAN_NAMES[span]}</a>`,
  )}</nav>`;
}

function pager(query: FleetQuery, { page, pages, found }: FleetPage): Html | "" {
  if (pages === 1) return "";
  const to = (target: number, text: string): Html =>
    target < 1 || target > pages
      ? html`<span class="dim">${text}</span>`
      : html`<a href="${address(query, { page: target })}">${text}</a>`;
  return html`<nav class="pager" aria-label="Pages">${to(page - 1, "← Previous")}<span>Page ${page} of ${pages}, ${counted(found, "account")}</span>${to(page + 1, "Next →")}</nav>`;
}
