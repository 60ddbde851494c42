import type { Result } from "./try-world.ts";
import { compareVersions } from "./variations.ts";

/** The table of docs/verdict.md: one row a version, and one for all. */
export function summarize(results: readonly Result[]): string {
  const versions = [...new Set(results.map(({ plan }) => plan.version))].sort(compareVersions);
  const rows = versions.map((version) =>
    rowOf(
      version,
      results.filter(({ plan }) => plan.version === version),
    ),
  );
  return [
    `| nats-server | worlds | ${COLUMNS.map(([title]) => title).join(" | ")} |`,
    `|---|---|${COLUMNS.map(() => "---|").join("")}`,
    ...rows,
    ...(versions.length > 1 ? [rowOf("all", results)] : []),
  ].join("\n");
}

const COLUMNS: readonly (readonly [title: string, kinds: readonly string[]])[] = [
  ["false healthy", ["false-healthy"]],
  ["not named", ["missed"]],
  ["false dead", ["false-dead"]],
  ["unknown without reason", ["unknown"]],
  ["wrongly healed", ["wrongly-healed"]],
  ["harm or loss", ["harm", "loss", "panic"]],
  ["crash or wrong exit code", ["crash", "exit"]],
];

function rowOf(name: string, results: readonly Result[]): string {
  const valid = results.filter(({ invalid }) => invalid === undefined);
  const count = (kinds: readonly string[]): number =>
    valid.filter(({ disagreements }) => disagreements.some(({ kind }) => kinds.includes(kind))).length;
  return `| ${name} | ${valid.length} | ${COLUMNS.map(([, kinds]) => count(kinds)).join(" | ")} |`;
}
