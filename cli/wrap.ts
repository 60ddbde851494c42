import { paintedParts } from "./colors.ts";
import { widthOf } from "./table.ts";

/** How much further in than its first line the rest of a long line begins. */
const HANGING = 2;

/**
 * A line for people in lines of at most `width` columns, broken between words; later ones are indented further. A word
 * that is too long by itself is cut into pieces. Colors stay as they are.
 */
export function wrapped(line: string, width: number, hanging?: number): readonly string[] {
  if (widthOf(line) <= width) return [line];
  const indent = /^ */.exec(line)?.[0].length ?? 0;
  const rest = " ".repeat(Math.min(hanging ?? indent + HANGING, Math.floor(width / 2)));
  const lines: string[] = [];
  let current = " ".repeat(indent);
  let isEmpty = true;
  const push = (): void => {
    lines.push(current.replace(/ +$/, ""));
    current = rest;
    isEmpty = true;
  };
  for (const word of line.replace(/^ +/, "").split(" ")) {
    const gap = isEmpty ? "" : " ";
    if (widthOf(current) + gap.length + widthOf(word) <= width) {
      current += gap + word;
      isEmpty = false;
      continue;
    }
    if (!isEmpty) push();
    const [last = "", ...full] = pieces(word, width - rest.length).toReversed();
    for (const piece of full.toReversed()) {
      current += piece;
      push();
    }
    current += last;
    isEmpty = false;
  }
  lines.push(current.replace(/ +$/, ""));
  return lines;
}

const GRAPHEMES = new Intl.Segmenter();

/** A word in pieces of at most `width` columns. Marks of colors have no width. */
function pieces(word: string, width: number): readonly string[] {
  const found: string[] = [];
  let current = "";
  for (const { text, mark } of paintedParts(word)) {
    current += mark;
    for (const { segment } of GRAPHEMES.segment(text)) {
      if (current !== "" && widthOf(current + segment) > width) {
        found.push(current);
        current = "";
      }
      current += segment;
    }
  }
  return [...found, current];
}
