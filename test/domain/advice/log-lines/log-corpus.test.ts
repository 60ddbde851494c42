import { expect, test } from "@jest/globals";
import { explain, LOG_KINDS } from "../../../../lib/domain/advice/log-lines/explain.ts";
import { logCorpus } from "../../../support/corpus.ts";

/** Compares explain with a corpus of lines, each with the right answer beside it. */

const CORPUS = logCorpus();

test.each(CORPUS)("$source: $kind", ({ kind, line }) => {
  const [explained] = explain([line]).explained;
  expect({ line, kind: explained?.kind.id ?? "-" }).toEqual({ line, kind });
});

test("the corpus has a line for each kind, and enough of them", () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(250);
  const found = new Set(CORPUS.map(({ kind }) => kind));
  expect(LOG_KINDS.map(({ id }) => id).filter((id) => !found.has(id))).toEqual([]);
});
