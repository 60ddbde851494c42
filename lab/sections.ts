/** Parts of documents that a program writes; everything else in them is written by hand. */
export interface Marks {
  readonly begin: string;
  readonly end: string;
}

/** The comments around a part, which name the program. */
export const marksOf = (name: string, command: string): Marks => ({
  begin: `<!-- ${name}: written by \`${command}\` -->`,
  end: `<!-- end of ${name} -->`,
});

/** The document with this text, which has the marks itself, instead of the part's last one, or after everything else. */
export function withPart(document: string, { begin, end }: Marks, text: string): string {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < 0) return `${document.trimEnd()}\n\n${text}\n`;
  return document.slice(0, from) + text + document.slice(to + end.length);
}
