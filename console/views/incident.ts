import { html } from "hono/html";
import { textOf } from "../../lib/domain/incidents/classes.ts";
import type { OpenIncident } from "../../lib/domain/incidents/open-incidents.ts";
import { describePage, type PageEnd } from "../../lib/domain/incidents/page-end.ts";
import { isJsonObject, type Json, type JsonObject } from "../../lib/domain/time/json.ts";
import { epochMillis } from "../../lib/domain/time/time.ts";
import { type Html, moment, said } from "./layout.ts";

/** The open incidents, each with its page's text. */
export function incidents(
  open: readonly OpenIncident[],
  runbookOf: (failureClass: string) => string | undefined,
): Html | "" {
  const paged = open.filter(({ openings }) => openings.length > 0);
  if (paged.length === 0) return "";
  return html`<section class="incidents"><h2>Open incident</h2>${paged.map((one) => incident(one, runbookOf))}</section>`;
}

function incident({ openings, last }: OpenIncident, runbookOf: (failureClass: string) => string | undefined): Html {
  const entry = last ?? openings.at(-1);
  if (entry === undefined) return html``;
  const { data } = entry;
  const failureClass = String(data["failureClass"]);
  const since = Date.parse(String(data["since"]));
  const runbook = runbookOf(failureClass);
  const severity = data["severity"] === "critical" ? "critical" : "warning";
  return html`<article class="page ${severity}">
<h3>${severity}: ${said(textOf(failureClass).title)}</h3>
<p class="dim">Since ${Number.isNaN(since) ? "an unknown time" : moment(epochMillis(since))}. ${called(data)} ${moment(entry.at)}.</p>
${pageParts(data)}
${runbook === undefined ? "" : html`<p>Runbook: ${/^https?:/.test(runbook) ? html`<a href="${runbook}" rel="noreferrer">${failureClass}</a>` : html`<code>${runbook}</code>`}</p>`}
</article>`;
}

function called({ delivery }: JsonObject): string {
  const text: string | undefined = describePage({ delivery: String(delivery) as PageEnd["delivery"] });
  return text === undefined ? "" : `${text[0]?.toUpperCase()}${text.slice(1)}:`;
}

/** The page as it was sent. Entries of older versions have only a summary. */
function pageParts({ page, summary }: JsonObject): Html {
  const parts = isJsonObject(page) && Array.isArray(page["parts"]) ? page["parts"].filter(isJsonObject) : [];
  if (parts.length === 0) return html`<p>${said(String(summary))}</p>`;
  return html`<dl>${parts
    .filter(({ heading }) => heading !== "Since")
    .map(({ heading, lines, isCommand }) => {
      const texts = (Array.isArray(lines) ? (lines as readonly Json[]) : []).map(String);
      const shown = texts.map((line) =>
        isCommand === true ? html`<p><code>${said(line)}</code></p>` : html`<p>${said(line)}</p>`,
      );
      return html`<dt>${said(String(heading), 60)}</dt><dd>${shown}</dd>`;
    })}</dl>`;
}
