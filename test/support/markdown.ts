/** The parts of a documentation page that its tests read. */

export interface Table {
  readonly head: readonly string[];
  /** The cells of each row, without the backslash before a `|`. */
  readonly rows: readonly (readonly string[])[];
}

export interface Example {
  /** `yaml`, `sh`, … */
  readonly language: string;
  readonly text: string;
}

export function tablesOf(page: string): readonly Table[] {
  return [...page.matchAll(/^\|.*\n\|[-| ]+\n(?:\|.*\n?)*/gm)].map(([text]) => {
    const [head = [], _line, ...rows] = text.trimEnd().split("\n").map(cellsOf);
    return { head, rows };
  });
}

const cellsOf = (line: string): readonly string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));

/** The text in backticks. */
export const codeIn = (text: string): readonly string[] =>
  [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

export function examplesOf(page: string): readonly Example[] {
  const blocks = page.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm);
  return [...blocks].map(([, indent = "", language = "", text = ""]) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}

/** The page's text without its examples. */
export const proseOf = (page: string): string => page.replaceAll(/^ *```\w+\n[\s\S]*?^ *```$/gm, "");

/** What a link can name after `#`, as GitHub derives it from headings. */
export const anchorsOf = (page: string): readonly string[] =>
  [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
