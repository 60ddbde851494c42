import { html } from "hono/html";
import { type Blackout, blackedOut } from "../../lib/domain/expiry/blackouts.ts";
import type { RenewalStorm } from "../../lib/domain/expiry/calendar.ts";
import { counted } from "../../lib/domain/time/text.ts";
import { type EpochMillis, epochMillis, isoTime } from "../../lib/domain/time/time.ts";
import type { FinishedJob } from "../../lib/usecases/reports/fleet.ts";
import type { Html } from "./layout.ts";

/** Time axes as SVG, made here: without script, and readable in words. All positions are percentages of the width. */

const DAY = 86_400_000;

/** How much time an axis shows. */
export const SPANS = {
  day: DAY,
  week: 7 * DAY,
  month: 30 * DAY,
  quarter: 91 * DAY,
  half: 182 * DAY,
  year: 365 * DAY,
} as const;
export type Span = keyof typeof SPANS;

export const isSpan = (text: string | undefined): text is Span => text !== undefined && Object.hasOwn(SPANS, text);

/** The time that an axis shows; a tenth of it lies in the past. */
export interface Axis {
  readonly now: EpochMillis;
  readonly span: Span;
  readonly from: EpochMillis;
  readonly until: EpochMillis;
}

export function axisOf(span: Span, now: EpochMillis): Axis {
  const length = SPANS[span];
  return { now, span, from: epochMillis(now - length * 0.1), until: epochMillis(now + length * 0.9) };
}

/** The shortest span that shows most of these times. */
export function fittingSpan(times: readonly EpochMillis[], now: EpochMillis): Span {
  const ahead = times.map((at) => at - now).sort((one, other) => one - other);
  const most = ahead[Math.floor(ahead.length * 0.7)] ?? 0;
  const names = Object.keys(SPANS) as Span[];
  return names.find((name) => SPANS[name] * 0.88 >= most) ?? "year";
}

const percent = (value: number): string => `${Math.round(Math.min(100, Math.max(0, value)) * 100) / 100}%`;

const placeOf = ({ from, until }: Axis, at: number): number => ((at - from) / (until - from)) * 100;

/** A rectangle from one time to another; nothing if it is not on the axis. */
function band(axis: Axis, name: string, from: number, until: number): Html | "" {
  if (until < axis.from || from > axis.until || until <= from) return "";
  const [left, right] = [Math.max(0, placeOf(axis, from)), Math.min(100, placeOf(axis, until))];
  return html`<rect class="${name}" x="${percent(left)}" y="0" width="${percent(Math.max(0.15, right - left))}" height="100%"/>`;
}

/** A mark at a time; at the edge if it is beyond. */
function mark(axis: Axis, name: string, at: number, shape: Html): Html {
  const place = placeOf(axis, at);
  const beyond = place > 100 ? " beyond" : "";
  return html`<svg x="${percent(Math.min(99, Math.max(1, place)))}" y="50%" overflow="visible"><g class="${name}${beyond}">${shape}</g></svg>`;
}

const DIAMOND = html`<path d="M0-6L6 0 0 6-6 0z"/>`;
const CROSS = html`<path d="M-5-5L5 5M5-5L-5 5"/>`;
const ARROW = html`<path d="M-4-5L2 0-4 5"/>`;

/** What a line of an axis shows of an account. */
export type Times = Pick<FinishedJob, "expiresAt" | "opensAt" | "closesAt" | "renewAt">;

/** One account's line. */
export function timeLine(axis: Axis, times: Times, blackouts: readonly Blackout[]): Html {
  const { expiresAt, opensAt, closesAt, renewAt } = times;
  const within = { start: axis.from, end: axis.until };
  const dark = blackouts.length === 0 ? [] : merged(blackedOut(blackouts, within), axis);
  return html`<svg class="line" role="img" aria-label="${describe(times)}" height="22">
${dark.map(({ start, end }) => band(axis, "blackout", start, end))}
${expiresAt === undefined ? "" : band(axis, "lapsed", expiresAt, axis.until)}
${opensAt === undefined || closesAt === undefined ? "" : band(axis, "window", opensAt, closesAt)}
${nowLine(axis)}
${renewAt === undefined ? "" : mark(axis, "planned", renewAt, renewAt > axis.until ? ARROW : DIAMOND)}
${expiresAt === undefined || expiresAt > axis.until ? "" : mark(axis, "expiry", expiresAt, CROSS)}
</svg>`;
}

const nowLine = (axis: Axis): Html => {
  const x = percent(placeOf(axis, axis.now));
  return html`<line class="now" x1="${x}" x2="${x}" y1="0" y2="100%"/>`;
};

/** Blackouts that would be less than a hundredth apart become one, because a year has hundreds. */
function merged(intervals: readonly { readonly start: number; readonly end: number }[], axis: Axis) {
  const gap = (axis.until - axis.from) / 150;
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of intervals) {
    const last = joined.at(-1);
    if (last !== undefined && start - last.end < gap && end - start < gap) last.end = end;
    else joined.push({ start, end });
  }
  return joined;
}

function describe({ expiresAt, opensAt, closesAt, renewAt }: Times): string {
  const day = (at: EpochMillis): string => isoTime(at).slice(0, 16).replace("T", " ");
  if (expiresAt === undefined) return "no expiry is known";
  const window = opensAt === undefined || closesAt === undefined ? "" : `, window ${day(opensAt)} to ${day(closesAt)}`;
  const planned = renewAt === undefined ? "" : `, planned renewal ${day(renewAt)}`;
  return `expires ${day(expiresAt)}${window}${planned} UTC`;
}

/** The head of the axis: dates, storms, and now. */
export function axisHead(axis: Axis, storms: readonly RenewalStorm[]): Html {
  const ahead = storms.filter(({ from, until }) => until >= axis.from && from <= axis.until).slice(0, MOST_STORMS);
  const least = (axis.until - axis.from) / 200;
  return html`<svg class="scale" role="img" aria-label="${describeAxis(axis, ahead)}" height="34">
${ahead.map(({ from, until }) => band(axis, "storm", from, Math.max(until, from + least)))}
${ticks(axis).map(({ at, text }) => tick(axis, at, text))}
${nowLine(axis)}
</svg>`;
}

const MOST_STORMS = 50;

function describeAxis({ from, until }: Axis, storms: readonly RenewalStorm[]): string {
  const span = `${isoTime(from).slice(0, 10)} to ${isoTime(until).slice(0, 10)}`;
  const many = storms.length === 0 ? "" : `, ${counted(storms.length, "renewal storm")}`;
  return `time axis from ${span}${many}`;
}

function tick(axis: Axis, at: number, text: string): Html {
  const x = percent(placeOf(axis, at));
  return html`<line class="tick" x1="${x}" x2="${x}" y1="24" y2="34"/><text x="${x}" y="18" text-anchor="middle">${text}</text>`;
}

/** About six dates on the axis, at midnight UTC; hours on an axis of a day. */
function ticks({ from, until, span }: Axis): readonly { readonly at: number; readonly text: string }[] {
  const length = until - from;
  const step = span === "day" ? DAY / 4 : Math.max(1, Math.round(length / 6 / DAY)) * DAY;
  const first = Math.ceil((from + length * 0.04) / Math.min(step, DAY)) * Math.min(step, DAY);
  const found: { at: number; text: string }[] = [];
  for (let at = first; at < until - length * 0.04; at += step) {
    const iso = isoTime(epochMillis(at));
    found.push({ at, text: span === "day" ? iso.slice(11, 16) : span === "year" ? iso.slice(0, 7) : iso.slice(5, 10) });
  }
  return found;
}

/** What the shapes mean. */
export function legend(hasStorms: boolean): Html {
  const item = (shape: Html, text: string): Html =>
    html`<li><svg class="line key" width="18" height="14" aria-hidden="true">${shape}</svg>${text}</li>`;
  const box = (name: string): Html => html`<rect class="${name}" x="0" y="0" width="100%" height="100%"/>`;
  const at = (name: string, shape: Html): Html =>
    html`<svg x="50%" y="50%" overflow="visible"><g class="${name}">${shape}</g></svg>`;
  return html`<ul class="legend">
${item(at("planned", DIAMOND), "planned renewal")}
${item(box("window"), "renewal window")}
${item(at("expiry", CROSS), "expiry")}
${item(box("blackout"), "blackout")}
${hasStorms ? item(box("storm"), "renewal storm") : ""}
</ul>`;
}
