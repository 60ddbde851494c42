import { html } from "hono/html";
import { printable } from "../../lib/domain/time/printable.ts";
import { clip } from "../../lib/domain/time/text.ts";
import { type EpochMillis, formatDuration, isoTime, millis } from "../../lib/domain/time/time.ts";
import type { Health } from "../../lib/domain/verdict/verdict.ts";
import type { Person } from "../../lib/http/person.ts";

/** What a template makes: every text in it is escaped. */
export type Html = ReturnType<typeof html>;

export interface Layout {
  /** Follows the product's name in the title. */
  readonly title: string;
  /** Absent on the page for signing in. */
  readonly person?: Person | undefined;
  /** For the form that signs out. */
  readonly csrf?: string;
  /** Seconds after which a page without script reloads itself; absent for pages that do not change. */
  readonly reloads?: number;
  /** Where the browser goes at once. */
  readonly forwards?: string;
  /** Seconds between two updates of the page by the script. */
  readonly refreshes?: number;
  /** Where the script follows the body's changes. */
  readonly follow?: string;
  readonly body: unknown;
}

/** A whole page. */
export function layout({ title, person, csrf, reloads, forwards, refreshes, follow, body }: Layout): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${plain(title)} – Relight</title>
<link rel="stylesheet" href="/console.css">
<link rel="icon" href="/console.svg">
${reloads === undefined ? "" : html`<noscript><meta http-equiv="refresh" content="${reloads}"></noscript>`}
${forwards === undefined ? "" : html`<meta http-equiv="refresh" content="0; url=${forwards}">`}
<script src="/console.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<a class="home" href="/"><svg class="logo" viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1a5 5 0 0 0-3 9v2h6v-2a5 5 0 0 0-3-9zM6 13h4v1.5H6z"/></svg>Relight</a>
${person === undefined ? "" : whoIs(person, csrf)}
</header>
<main id="main" tabindex="-1" data-refresh="${refreshes ?? ""}" data-follow="${follow ?? ""}">${body}</main>
</body>
</html>`;
}

function whoIs({ name, role, way }: Person, csrf: string | undefined): Html {
  const out =
    (way === "token" || way === "oidc") && csrf !== undefined
      ? html`<form method="post" action="/sign-out"><input type="hidden" name="csrf" value="${csrf}"><button class="quiet">Sign out</button></form>`
      : "";
  return html`<div class="who"><span>${nameOf(name, 40)} <span class="dim">(${role})</span></span>${out}</div>`;
}

/** The most characters of a text from outside. The journal has all of it. */
const MOST = 1_500;

/** A text from outside: nothing in it can be obeyed or hidden, and its writing direction stays its own. */
export const said = (text: string, most = MOST): Html => html`<bdi>${plain(text, most)}</bdi>`;

/** A name in at most `most` characters; all of it as a tooltip. */
export function nameOf(text: string, most = 60): Html {
  const short = plain(text, most);
  return short === text ? html`<bdi>${text}</bdi>` : html`<bdi title="${plain(text)}">${short}</bdi>`;
}

/** The text alone, for attributes and titles. */
export const plain = (text: string, most = MOST): string => {
  const shown = printable(text.toWellFormed());
  return shown.length <= most ? shown : clip(shown, most);
};

/** A moment, in UTC to the minute, with the seconds as a tooltip. */
export function moment(at: EpochMillis): Html {
  const iso = isoTime(at);
  return html`<time datetime="${iso}" title="${iso}">${iso.slice(0, 16).replace("T", " ")}</time>`;
}

/** A moment to the second. */
export function second(at: EpochMillis): Html {
  const iso = isoTime(at);
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace("T", " ")}</time>`;
}

/** A moment of a day that is known. */
export function timeOnly(at: EpochMillis): Html {
  const iso = isoTime(at);
  return html`<time datetime="${iso}" title="${iso}">${iso.slice(11, 19)}</time>`;
}

/** `in 3d 4h`, `2h ago`. */
export function fromNow(at: EpochMillis, now: EpochMillis): string {
  const length = formatDuration(millis(at - now));
  return at >= now ? `in ${length}` : `${length} ago`;
}

/** Each verdict has a shape, a word and a color. */
const SHAPES: Readonly<Record<Health, Html>> = {
  healthy: html`<circle cx="8" cy="8" r="7"/><path class="ink" d="M4.5 8.2l2.4 2.4 4.6-5"/>`,
  degraded: html`<path d="M8 1l7.5 13.5H.5z"/><path class="ink" d="M8 6v4M8 12v.6"/>`,
  dead: html`<path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z"/><path class="ink" d="M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4"/>`,
  unknown: html`<path d="M8 .5L15.5 8 8 15.5.5 8z"/><path class="ink" d="M5 8h6"/>`,
};

const isHealth = (text: string): text is Health => Object.hasOwn(SHAPES, text);

/** Somebody who can write to the journal may have written any word. */
export function badge(health: string, note = ""): Html {
  const known = isHealth(health) ? health : "unknown";
  return html`<span class="badge ${known}"><svg viewBox="0 0 16 16" aria-hidden="true">${SHAPES[known]}</svg>${plain(health, 20)}${note}</span>`;
}

/** A page about something that went wrong. */
export function problem(title: string, lines: readonly string[]): Html {
  return html`<h1>${title}</h1>${lines.map((line) => html`<p>${said(line)}</p>`)}<p><a href="/">All accounts</a></p>`;
}
