import { html } from "hono/html";
import type { TimelineItem, TimelineStep } from "../../lib/domain/journal/timeline.ts";
import { counted } from "../../lib/domain/time/text.ts";
import { type EpochMillis, formatDuration, isoTime, type Millis, millis } from "../../lib/domain/time/time.ts";
import { badge, type Html, moment, plain, said, second, timeOnly } from "./layout.ts";

/** What happened to an account, newest first; the steps of one outage or job in their order. */
export function timeline(items: readonly TimelineItem[], now: EpochMillis): Html {
  if (items.length === 0) return html`<p>The journal has nothing about it yet.</p>`;
  return html`<ol class="timeline">${items.map((item) => itemOf(item, now))}</ol>`;
}

function itemOf(item: TimelineItem, now: EpochMillis): Html {
  switch (item.kind) {
    case "outage":
      return outage(item, now);
    case "job":
      return html`<li class="job"><h3>${moment(item.at)}</h3>${stepList(item.steps, dayOf(item.at))}</li>`;
    case "quiet":
      return html`<li class="quiet">${counted(item.checks, "check")}, all healthy: ${moment(item.from)} to ${moment(item.until)}</li>`;
  }
}

function outage({ began, ended, health, steps }: Extract<TimelineItem, { kind: "outage" }>, now: EpochMillis): Html {
  const length = formatDuration(millis((ended ?? now) - began));
  const how = ended === undefined ? html`for ${length}, and still` : html`for ${length}, until ${second(ended)}`;
  return html`<li class="outage ${ended === undefined ? "open" : ""}"><h3>${badge(health)} since ${second(began)} <span class="dim">${how}</span></h3>${stepList(steps, dayOf(began))}</li>`;
}

/** The most steps of one outage: an outage of days has thousands. The first and the last ones are shown. */
const MOST = 60;

/** @param day the date that stands above, such as `2026-11-30` */
export function stepList(steps: readonly TimelineStep[], day = ""): Html {
  const half = MOST / 2;
  const cut = steps.length > MOST ? steps.length - MOST : 0;
  const shown = cut === 0 ? steps : [...steps.slice(0, half), ...steps.slice(-half)];
  const rows = shown.map((step, index) => {
    const before = index === 0 ? day : dayOf(shown[index - 1]?.at ?? step.at);
    const gap = cut > 0 && index === half ? html`<li class="dim">… ${counted(cut, "more step")}</li>` : "";
    return html`${gap}${dayOf(step.at) === before ? "" : html`<li class="day">${dayOf(step.at)}</li>`}${stepItem(step)}`;
  });
  return html`<ol class="steps">${rows}</ol>`;
}

const dayOf = (at: EpochMillis): string => isoTime(at).slice(0, 10);

const MARKS = { bad: "✗", act: "→", good: "✓", note: "·" } as const;

function stepItem({ at, tone, label, text, took }: TimelineStep): Html {
  return html`<li class="tone-${tone}">${timeOnly(at)} <span class="mark" aria-hidden="true">${MARKS[tone]}</span> <span><b>${plain(label, 40)}</b> ${said(text, 600)}${took === undefined ? "" : html` <span class="dim">in ${tookText(took)}</span>`}</span></li>`;
}

/** Many steps take less than a second. */
const tookText = (took: Millis): string => (took < 1_000 ? `${took} ms` : formatDuration(took));
