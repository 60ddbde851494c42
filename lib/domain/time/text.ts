/** `1 stream`, `2 streams`. @param noun singular; its plural must end in `s` */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** At most `most` of the names, for people: `A, B, C and 180 more`. */
export function listed(names: readonly string[], most: number): string {
  const more = names.length - most;
  return more <= 0 ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${more} more`;
}

/** Line breaks, tabs, and characters that control terminals, hide themselves or change the direction of text. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu;

/** `text` on one line of visible characters: whoever chose a name must not be able to forge a line or to hide one. */
export function onOneLine(text: string): string {
  return text.toWellFormed().replace(UNSEEN, " ").replace(/\s+/g, " ").trim();
}

/** The same with at most `length` characters; what is cut ends with an ellipsis. Keeps surrogate pairs whole. */
export function clip(text: string, length: number): string {
  const line = onOneLine(text);
  if (line.length <= length) return line;
  return `${line.slice(0, length - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** A word for a POSIX shell, quoted only if it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
