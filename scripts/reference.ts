/**
 * Writes the tables of docs/reference.md, docs/doctor.md and docs/observability.md from the code (`npm run docs`). They are
 * between `<!-- name -->` and `<!-- /name -->`. A test fails if they are outdated.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LOG_KINDS } from "../lib/domain/advice/log-lines/explain.ts";
import { ALL as CHECKED } from "../lib/domain/advice/log-lines/explain-kind.ts";
import { CONFIG_FINDINGS } from "../lib/domain/advice/server-config/leaf-config-findings.ts";
import { CHECKS, type CheckKind } from "../lib/domain/doctor/check-codes.ts";
import { REFUSALS } from "../lib/domain/gate/gate.ts";
import { LADDER } from "../lib/domain/ladder/rungs.ts";
import { METRICS } from "../lib/domain/metrics/catalogue.ts";
import type { MetricDescription } from "../lib/domain/metrics/forms.ts";
import { FINDINGS, WARNINGS } from "../lib/domain/verdict/verdict.ts";
import { ERRORS } from "../lib/errors.ts";

export const REFERENCE = join(import.meta.dirname, "..", "docs", "reference.md");
export const DOCTOR = join(import.meta.dirname, "..", "docs", "doctor.md");
export const OBSERVABILITY = join(import.meta.dirname, "..", "docs", "observability.md");

const row = (...cells: string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly string[]): string =>
  [row(...head), row(...head.map(() => "---")), ...rows].join("\n");

const TABLES: Readonly<Record<string, string>> = {
  findings: table(
    ["finding", "what it means"],
    Object.entries(FINDINGS).map(([code, text]) => row(`\`${code}\``, text)),
  ),
  warnings: table(
    ["warning", "what it means"],
    Object.entries(WARNINGS).map(([code, text]) => row(`\`${code}\``, text)),
  ),
  checks: table(
    ["check", "severity", "what it means"],
    Object.entries<CheckKind>(CHECKS).map(([code, { severity, means }]) => row(`\`${code}\``, severity, means)),
  ),
  "config-findings": table(
    ["finding", "severity", "what it means", "likely", "fix"],
    Object.entries(CONFIG_FINDINGS).map(([code, { severity, meaning, likely, advice }]) =>
      row(`\`${code}\``, severity, meaning, likely, advice),
    ),
  ),
  "log-lines": table(
    ["kind", "the server writes", "in", "worry", "what it means", "advice"],
    LOG_KINDS.map(({ id, texts, versions, worry, meaning, advice }) =>
      row(
        `\`${id}\``,
        texts.map((text) => `\`${text}\``).join("<br>"),
        versions.length === CHECKED.length ? "all" : versions.join(", "),
        worry,
        meaning,
        advice,
      ),
    ),
  ),
  refusals: table(
    ["refusal", "what it means"],
    Object.entries(REFUSALS).map(([code, text]) => row(`\`${code}\``, text)),
  ),
  errors: table(
    ["error", "exit", "try again?", "what to do"],
    Object.entries(ERRORS).map(([code, { exit, retryable, advice }]) =>
      row(`\`${code}\``, String(exit), retryable ? "yes" : "no", advice.replaceAll("|", "\\|")),
    ),
  ),
  rungs: table(
    ["rung", "what it does", "risk", "undo"],
    LADDER.map(({ id, title, risk, undo }) => row(`\`${id}\``, title, risk, undo)),
  ),
};

/** The checks of docs/doctor.md, with their evidence and advice. */
export const CHECK_TABLES: Readonly<Record<string, string>> = {
  "all-checks": table(
    ["check", "severity", "evidence", "advice"],
    Object.entries<CheckKind>(CHECKS).map(([code, { severity, evidence, advice }]) =>
      row(`\`${code}\``, severity, evidence.map((key) => `\`${key}\``).join(", "), advice),
    ),
  ),
};

const ALL = Object.entries<MetricDescription>(METRICS);

/** The metrics of docs/observability.md, in both forms. */
export const METRIC_TABLES: Readonly<Record<string, string>> = {
  metrics: table(
    ["metric", "unit", "dimensions", "when", "what to do"],
    ALL.flatMap(([name, { cloudWatch, when, advice }]) =>
      cloudWatch === undefined ? [] : [row(`\`${name}\``, cloudWatch.unit, dimensionsOf(cloudWatch), when, advice)],
    ),
  ),
  prometheus: table(
    ["metric", "type", "labels", "what it says", "CloudWatch's"],
    ALL.map(
      ([
        name,
        {
          cloudWatch,
          prometheus: { name: metric, type, labels, help },
        },
      ]) =>
        row(
          `\`${metric}\``,
          type,
          labels.map((label) => `\`${label}\``).join(", "),
          help,
          cloudWatch ? `\`${name}\`` : "",
        ),
    ),
  ),
  "prometheus-states": table(
    ["metric", "when", "what to do"],
    ALL.flatMap(
      ([
        ,
        {
          cloudWatch,
          prometheus: { name },
          when,
          advice,
        },
      ]) => (cloudWatch === undefined ? [row(`\`${name}\``, when, advice)] : []),
    ),
  ),
};

function dimensionsOf({ dimensions, total }: NonNullable<MetricDescription["cloudWatch"]>): string {
  const named = dimensions.map((dimension) => `\`service\`, \`${dimension}\``);
  return [...(total ? ["`service`"] : []), ...named].join("; ");
}

/** `text` with current tables. */
export function withTables(text: string, tables: Readonly<Record<string, string>> = TABLES): string {
  return Object.entries(tables).reduce((before, [name, content]) => {
    const place = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!place.test(before)) throw new Error(`the page has no place for the table of ${name}`);
    return before.replace(place, (_all, begin: string, end: string) => `${begin}${content}\n${end}`);
  }, text);
}

/** Writes the tables of all pages. */
export async function writeTables(): Promise<void> {
  await writeFile(REFERENCE, withTables(await readFile(REFERENCE, "utf8")));
  await writeFile(DOCTOR, withTables(await readFile(DOCTOR, "utf8"), CHECK_TABLES));
  await writeFile(OBSERVABILITY, withTables(await readFile(OBSERVABILITY, "utf8"), METRIC_TABLES));
}
