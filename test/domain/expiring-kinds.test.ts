import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { EXPIRING_KINDS } from "../../lib/domain/journal/journal.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Words with other meanings, too; the second test also covers these. */
const AMBIGUOUS: readonly string[] = ["verdict", "gate.refused"];

/** Reports and metrics only: they say less about expired entries, and decide nothing. */
const REPORTERS = [
  "lib/usecases/orders/console.ts",
  // Only for orders that are younger than what expires (lib/compose/abandoned.ts).
  "lib/usecases/orders/unstarted.ts",
  "lib/usecases/reports/account-history.ts",
  "lib/usecases/reports/entries-by-correlation.ts",
  "lib/domain/journal/describe-entry.ts",
  "lib/domain/journal/timeline.ts",
  "lib/domain/journal/unfinished.ts",
];
const MEASURED = `kinds: ["verdict"], limit: LATEST_VERDICTS`;

const modulesOf = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${folder}/${name}`);

/** Every mention of a kind that may expire, except in the two places that define the kinds. */
function mentions(folder: string): readonly string[] {
  return modulesOf(folder).flatMap((file) => {
    if (["lib/domain/journal/journal.ts", "lib/domain/journal/last-job.ts", ...REPORTERS].includes(file)) return [];
    const text = readFileSync(join(ROOT, file), "utf8");
    return EXPIRING_KINDS.flatMap((kind) =>
      [...text.matchAll(new RegExp(`"${kind.replace(".", "\\.")}"`, "g"))].flatMap(({ index }) => {
        const before = text.slice(Math.max(0, index - 60), index);
        // Writing it does not read it.
        const isWritten =
          /record\w*\((?:context|\{[^}]*\}), [\w.]+, (?:[^,()]* \? )?$|record\(\s*context,\s*job,\s*$/.test(before);
        return isWritten || AMBIGUOUS.includes(kind) ? [] : [`${file}: ${kind}`];
      }),
    );
  });
}

test("no use case reads a kind of entry that may expire", () => {
  expect(["lib/usecases", "lib/domain"].flatMap(mentions)).toEqual([]);
});

test("every query by kind uses kinds that are kept forever", () => {
  const texts = modulesOf("lib/usecases")
    .filter((file) => !REPORTERS.includes(file))
    .map((file) => readFileSync(join(ROOT, file), "utf8").replace(MEASURED, ""));
  const lists = texts.flatMap((text) => [
    ...[...text.matchAll(/kinds(?::| =) \[([^\]]*)\]/g)].map(([, list = ""]) => list),
    ...[...text.matchAll(/const (?:INCIDENTS|REMEMBERED) = \[([\s\S]*?)\];/g)].map(([, list = ""]) => list),
  ]);
  expect(lists.length).toBeGreaterThanOrEqual(8);
  for (const list of lists) for (const kind of EXPIRING_KINDS) expect(list).not.toContain(`"${kind}"`);
});
