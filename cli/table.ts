import { eastAsianWidth } from "get-east-asian-width";
import { shortId } from "../lib/domain/claims/account.ts";
import { type EpochMillis, isoTime } from "../lib/domain/time/time.ts";
import { visible } from "./colors.ts";

/**
 * The lines of a table without borders. A column is as wide as its widest cell; the last one is not filled up. Takes time
 * linear in the number of cells.
 */
export function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title) => widthOf(title));
  const sized = [head, ...rows].map((row) =>
    row.map((cell, column) => {
      const width = widthOf(cell);
      widths[column] = Math.max(widths[column] ?? 0, width);
      return { cell, width };
    }),
  );
  return sized.map((row) => {
    const cells = row.map(({ cell, width }, column) => cell + " ".repeat((widths[column] ?? 0) - width));
    return ` ${cells.join("  ")}`.trimEnd();
  });
}

const GRAPHEMES = new Intl.Segmenter();

/** How many columns of a terminal `text` takes. */
export function widthOf(text: string): number {
  const shown = visible(text);
  if (/^[ -~]*$/.test(shown)) return shown.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(shown)) {
    const point = segment.codePointAt(0) ?? 0;
    width += /^\p{M}/u.test(segment) ? 0 : eastAsianWidth(point);
  }
  return width;
}

/** `text` in at most `width` columns; what is cut ends with an ellipsis. */
export function fitting(text: string, width: number): string {
  const shown = visible(text);
  if (widthOf(shown) <= width) return text;
  let kept = "";
  for (const { segment } of GRAPHEMES.segment(shown)) {
    if (widthOf(kept + segment) > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** `2026-11-29 14:05`, UTC. */
export const minute = (at: EpochMillis): string => isoTime(at).slice(0, 16).replace("T", " ");

/** `2026-11-29`, UTC. */
export const day = (at: EpochMillis): string => isoTime(at).slice(0, 10);

/** Two days, in milliseconds. */
const SOON = 2 * 86_400_000;

/** A day, or within two days of `now` also the time: `11-29 14:05`. UTC. */
export const near = (at: EpochMillis, now: EpochMillis): string =>
  Math.abs(at - now) < SOON ? minute(at).slice(5) : day(at);

/** A name as it is, and the beginning of the id of an account without one. */
export const shortName = (name: string, id: string): string => (name === id ? shortId(id) : name);
