import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { checkManifest } from "../../../../lib/domain/advice/probes/probe-manifest.ts";
import type { NatsContainer } from "../../../../lib/domain/advice/probes/probe-manifest-facts.ts";
import { corpusFiles } from "../../../support/corpus.ts";

/**
 * Compares doctor's manifests with a corpus: each file begins with the right answer. `# WORKLOAD, CONTAINER, VERSION,
 * JETSTREAM`, then `# - SEVERITY PLACE`, and where it matters the path that is proposed.
 */
const FILES = corpusFiles("manifests");

test("there are enough of them", () => {
  expect(FILES.length).toBeGreaterThanOrEqual(45);
});

test.each(FILES.map(({ name, ...file }) => [name, file] as const))("%s", (_name, { text, answer }) => {
  const containers = checkManifest(parseAllDocuments(text).map((document) => document.toJS()));
  const found = containers.flatMap((container) => linesOf(container, answer));
  expect(found.length === 0 ? ["nothing"] : found).toEqual(answer);
});

function linesOf(
  { workload, container, version, jetStream, findings }: NatsContainer,
  answer: readonly string[],
): readonly string[] {
  const head = `${workload}, ${container}, ${version ?? "unknown"}, ${jetStream}`;
  const found = findings.map(({ severity, about, fix }) => {
    const line = `- ${severity} ${about}`;
    const path = fix.find((one) => one.includes("path: "))?.replace("    path: ", "");
    return path !== undefined && answer.includes(`${line} ${path}`) ? `${line} ${path}` : line;
  });
  return [head, ...found];
}
