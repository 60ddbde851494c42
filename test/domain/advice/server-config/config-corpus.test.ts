import { expect, test } from "@jest/globals";
import { epochMillis } from "../../../../lib/domain/time/time.ts";
import { type ConfigFiles, checkConfig } from "../../../../lib/usecases/reports/check-config.ts";
import { corpusFiles } from "../../../support/corpus.ts";

/**
 * Compares check-config with a corpus: each file begins with the right answer. First what `nats-server -t` does, which
 * test/integration/check-config.test.ts asks real servers; then `# LINE SEVERITY CODE` for each finding.
 */
const FILES = corpusFiles("configs");

test("there are enough of them", () => {
  expect(FILES.length).toBeGreaterThanOrEqual(65);
});

test.each(FILES.map(({ name, ...file }) => [name, file] as const))("%s", (name, { text, answer }) => {
  const world: ConfigFiles = {
    read: (path) => (path === name ? { ok: true, text } : { ok: false, missing: true, why: "does not exist" }),
    beside: (_file, path) => path,
    expand: (path) => path,
    variable: () => undefined,
  };
  const { findings, unchecked } = checkConfig([name], { now: epochMillis(0), world });
  const found = [
    ...unchecked.map(({ at }) => `${at.line} unchecked`),
    ...findings.map(({ at, severity, code }) => `${at.line} ${severity} ${code}`),
  ];
  expect(found).toEqual(answer.slice(1));
});
