import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The files of test/corpus: our own, in the variety that public repositories show, with the right answers beside. */
export const CORPUS = join(import.meta.dirname, "..", "corpus");

export interface LogCase {
  /** `wrote VERSION`, or a version and a file of its source. */
  readonly source: string;
  /** The kind that `explain` must give; `-` for none. */
  readonly kind: string;
  readonly line: string;
  /** The line in parts: at even places the server's own text, at odd ones what it filled in. */
  readonly parts: readonly string[];
}

/** The lines of test/corpus/log-lines.txt. */
export function logCorpus(): readonly LogCase[] {
  const cases: LogCase[] = [];
  let source = "";
  for (const row of readFileSync(join(CORPUS, "log-lines.txt"), "utf8").split("\n")) {
    if (row.startsWith("## ")) source = row.slice(3);
    const [kind = "", marked] = row.split("\t");
    if (row.startsWith("#") || marked === undefined) continue;
    const parts = source.startsWith("wrote") ? [marked] : marked.split(/[«»]/);
    cases.push({ source, kind, line: parts.join(""), parts });
  }
  return cases;
}

export interface CorpusFile {
  readonly name: string;
  readonly text: string;
  /** The right answer: the comment lines at the top of the file. */
  readonly answer: readonly string[];
}

/** The files of a folder of test/corpus, each with its answer. */
export function corpusFiles(folder: string): readonly CorpusFile[] {
  return readdirSync(join(CORPUS, folder))
    .sort()
    .map((name) => {
      const text = readFileSync(join(CORPUS, folder, name), "utf8");
      const lines = text.split(/\r?\n/);
      const end = lines.findIndex((line) => !line.startsWith("# "));
      return { name, text, answer: lines.slice(0, end).map((line) => line.slice(2)) };
    });
}
