import { html } from "hono/html";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { AccountClaims } from "../../lib/domain/claims/claims.ts";
import type { Blackout } from "../../lib/domain/expiry/blackouts.ts";
import type { RenewalWindow } from "../../lib/domain/expiry/expiry.ts";
import { isJsonObject, type Json, type JsonObject } from "../../lib/domain/time/json.ts";
import { counted } from "../../lib/domain/time/text.ts";
import { type EpochMillis, isoTime, toMillis } from "../../lib/domain/time/time.ts";
import type { AccountHistory } from "../../lib/usecases/reports/account-history.ts";
import { type FleetRow, standingOf } from "../../lib/usecases/reports/fleet.ts";
import { axisHead, axisOf, fittingSpan, legend, timeLine } from "./axis.ts";
import { incidents } from "./incident.ts";
import { badge, fromNow, type Html, moment, nameOf, plain, said } from "./layout.ts";
import { timeline } from "./timeline.ts";
import { parts } from "./verdict.ts";

export interface AccountView {
  readonly account: AccountId;
  /** Empty if it has none. */
  readonly name: string;
  readonly row: FleetRow;
  readonly history: AccountHistory;
  /** The renewal times of the last claims; absent if they never expire or are not known. */
  readonly window?: RenewalWindow | undefined;
  readonly isManual: boolean;
  readonly blackouts: readonly Blackout[];
  readonly now: EpochMillis;
  readonly mayAct: boolean;
  /** Where the runbook explains an incident. */
  readonly runbookOf: (failureClass: string) => string | undefined;
  /** The address that shows more of the timeline; absent if it is all there. */
  readonly more?: string | undefined;
}

/** What a person may order, and what it does. */
export const ACTIONS = {
  verify: "Check it in depth now; changes nothing",
  renew: "Sign the claims in force again, push them, and prove them on every server",
  heal: "Apply remedies until JetStream works, or page a person",
} as const;
export type Action = keyof typeof ACTIONS;

/** Everything that the journal knows about one account. */
export function accountView(view: AccountView): Html {
  const { account, name, row, history, now } = view;
  const standing = standingOf(row, now);
  const checked =
    history.verdict === undefined ? "" : html`<span class="dim">checked ${fromNow(history.verdict.at, now)}</span>`;
  const running =
    row.runningSince === undefined
      ? ""
      : html`<span class="running">a job is running, begun ${fromNow(row.runningSince, now)}</span>`;
  return html`<p class="path"><a href="/">Accounts</a></p>
<h1>${name === "" ? html`<span class="dim">Account without a name</span>` : nameOf(name, 120)}</h1>
<p class="id">${account}</p>
<div class="facts">${badge(standing.health)}${checked}${running}</div>
${standing.why === undefined ? "" : html`<p class="note">Unknown: ${said(standing.why)}.</p>`}
${actions(view)}
${incidents(history.incidents, view.runbookOf)}
<section><h2>Verdict</h2>${verdictSection(history)}</section>
<section><h2>History</h2>${timeline(history.timeline, now)}
${view.more === undefined ? "" : html`<p><a href="${view.more}">Show older entries</a></p>`}
<p class="dim"><code>relight journal ${account}</code> shows every entry. All times are UTC.</p></section>
<section><h2>Expiry</h2>${expiry(view)}</section>
<section><h2>Claims</h2>${claimsSection(history)}</section>`;
}

function actions({ account, mayAct }: AccountView): Html {
  const names = Object.keys(ACTIONS) as Action[];
  const title = (action: string): string => `${action[0]?.toUpperCase()}${action.slice(1)}`;
  const others = mayAct
    ? names.map((action) => html`<a class="button" href="/account/${account}/order?do=${action}">${title(action)}</a>`)
    : "";
  return html`<div class="actions"><a class="button" href="/account/${account}/plan">Plan</a>${others}</div>`;
}

function expiry({ window, row, blackouts, isManual, now, history }: AccountView): Html {
  if (window === undefined) {
    const exp = history.claims?.exp;
    if (history.claims === undefined) return html`<p>Its claims are not known.</p>`;
    return exp === undefined ? html`<p>The claims never expire.</p>` : html`<p>The expiry can't be computed.</p>`;
  }
  const { expiresAt, opensAt, closesAt, renewAt, warnAt, pageAt, blackedOut } = window;
  const axis = axisOf(fittingSpan([expiresAt], now), now);
  const times = { expiresAt, opensAt, closesAt, ...(isManual ? {} : { renewAt }) };
  const planned = isManual
    ? html`by hand`
    : row.last?.withdrawn
      ? html`none, because somebody deleted it`
      : html`${moment(renewAt)} ${renewAt <= now ? "(due)" : html`<span class="dim">${fromNow(renewAt, now)}</span>`}${blackedOut ? html` in a blackout, because all of its window is one` : ""}`;
  return html`<div class="single">${axisHead(axis, [])}${timeLine(axis, times, blackouts)}</div>${legend(false)}
<dl><dt>Expires</dt><dd>${moment(expiresAt)} <span class="dim">${fromNow(expiresAt, now)}</span></dd>
<dt>Renewal window</dt><dd>${moment(opensAt)} to ${moment(closesAt)}</dd>
<dt>Planned renewal</dt><dd>${planned}</dd>
<dt>Without a renewal</dt><dd>warns ${moment(warnAt)}, pages ${moment(pageAt)}</dd></dl>`;
}

function verdictSection({ verdict, streams }: AccountHistory): Html {
  if (verdict === undefined) return html`<p>No check has finished yet.</p>`;
  const { data } = verdict;
  const count = (key: string, noun: string): string => counted(Number(data[key]) || 0, noun);
  const depth =
    data["depth"] === "account"
      ? "as the system account and the account itself see it"
      : "as the system account sees it";
  const diagnosis = listOf(data["diagnosis"]).map(String);
  return html`<p>${badge(String(data["verdict"]))} ${count("streams", "stream")}, ${count("consumers", "consumer")}, ${depth}, ${moment(verdict.at)}.</p>
${diagnosis.map((line) => html`<p class="cause">${said(line)}</p>`)}
${parts(data, streams)}`;
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** Findings about claims: where they differ, and from what. */
const DIFFERENCES = /^(claims|source)\.|^account\.not_in_resolver$/;

function claimsSection({ claims, verdict }: AccountHistory): Html {
  const found = listOf(verdict?.data["findings"]).filter(isJsonObject);
  const different = found.filter(({ code }) => DIFFERENCES.test(String(code)));
  const shown = claims === undefined ? html`<p>No check has seen its claims yet.</p>` : claimsTable(claims);
  const differences =
    verdict === undefined
      ? ""
      : different.length === 0
        ? html`<p>The last check found no difference between the servers, the resolver and the source of truth.</p>`
        : html`<ul class="findings">${different.map(difference)}</ul>`;
  return html`${shown}${differences}`;
}

const difference = ({ code, message }: JsonObject): Html =>
  html`<li>${said(String(message))} <code>${plain(String(code), 60)}</code></li>`;

function claimsTable({ jti, iss, iat, nbf, exp }: AccountClaims): Html {
  const at = (value: typeof iat): Html => html`${isoTime(toMillis(value)).slice(0, 19).replace("T", " ")}`;
  return html`<dl><dt>Issued</dt><dd>${at(iat)} by <code>${plain(iss, 80)}</code></dd>
${nbf === undefined ? "" : html`<dt>Valid from</dt><dd>${at(nbf)}</dd>`}
<dt>Expires</dt><dd>${exp === undefined ? "never" : at(exp)}</dd>
<dt>JWT id</dt><dd><code>${plain(jti, 80)}</code></dd></dl>`;
}
