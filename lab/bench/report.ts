import { readFile, writeFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { marksOf, withPart } from "../sections.ts";
import { type Aim, type Benchmark, type Compared, type Row, type Sample, type Summary, summaryOf } from "./frame.ts";

/** The document with the results. Text outside of the marked sections is written by hand. */
export const DOCUMENT = join(import.meta.dirname, "..", "..", "docs", "benchmarks.md");

const marks = (name: string) => marksOf(name, "npm run bench");

const GIGABYTE = 2 ** 30;

/** One line about the machine and the versions. */
export function machine(servers: readonly string[]): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const memory = `${Math.round(totalmem() / GIGABYTE)} GB`;
  const versions = [`Node ${process.versions.node}`, ...servers.map((version) => `nats-server ${version}`)];
  return [
    `${availableParallelism()} cores (${model}), ${memory}`,
    `${type()} ${release()} ${arch()}`,
    ...versions,
  ].join("; ");
}

/** Three significant digits, in the unit that people say. */
function duration(seconds: number): string {
  if (seconds >= 100) return `${Math.round(seconds)} s`;
  if (seconds >= 1) return `${seconds.toPrecision(3)} s`;
  return `${Number((seconds * 1000).toPrecision(3))} ms`;
}

const multiple = (ratio: number): string => `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)} ×`;
const megabytes = (size: number): string => `${Math.round(size)} MB`;

/** The median, and the least and most if there were several rounds. */
function spread(summary: Summary | undefined, show: (value: number) => string): string {
  if (summary === undefined) return "";
  const { median, least, most } = summary;
  return show(least) === show(most) ? show(median) : `${show(median)} (${show(least)} – ${show(most)})`;
}

const valuesOf = ({ samples }: Row, of: keyof Sample): readonly number[] =>
  samples.flatMap((sample) => sample[of] ?? []);

/** As many of them as there are, such as `2.0 ×, 150 MB`. */
function goalOf({ times, seconds, megabytes: size }: Aim): string {
  const shown = [
    times === undefined ? [] : multiple(times),
    seconds === undefined ? [] : duration(seconds),
    size === undefined ? [] : megabytes(size),
  ];
  return shown.flat().join(", ");
}

/** Whether the medians keep to it; undefined if nothing was measured. */
function isMet(row: Row, { times, seconds, megabytes: size }: Aim): boolean | undefined {
  const within = (values: readonly number[], most = Number.POSITIVE_INFINITY): boolean =>
    (summaryOf(values)?.median ?? 0) <= most;
  if (row.samples.length === 0) return undefined;
  return (
    within(row.ratios, times) && within(valuesOf(row, "seconds"), seconds) && within(valuesOf(row, "megabytes"), size)
  );
}

function aimCell(row: Row): string {
  if (row.aim === undefined) return "";
  const met = isMet(row, row.aim);
  return met === undefined ? goalOf(row.aim) : `${goalOf(row.aim)}: ${met ? "met" : "missed"}`;
}

function cellsOf(row: Row, index: number, { work }: Compared): readonly string[] {
  const first = index === 0 ? work : "";
  const name = row.missing === undefined ? row.name : `${row.name}: ${row.missing}`;
  return [
    first,
    name,
    spread(summaryOf(valuesOf(row, "seconds")), duration),
    index === 0 ? "1" : spread(summaryOf(row.ratios), multiple),
    aimCell(row),
    spread(summaryOf(valuesOf(row, "megabytes")), megabytes),
    spread(summaryOf(valuesOf(row, "cpu")), duration),
    spread(summaryOf(valuesOf(row, "serverCpu")), duration),
  ];
}

const HEADS = ["work", "by", "time", "of the baseline", "aim", "memory", "CPU", "CPU of the servers"];

/** All comparisons of a benchmark, without the columns that have nothing in them. */
export function table(compared: readonly Compared[]): string {
  const rows = compared.flatMap((each) => each.rows.map((row, index) => cellsOf(row, index, each)));
  const used = HEADS.flatMap((_, column) => (rows.some((cells) => cells[column] !== "") ? [column] : []));
  const line = (cells: readonly string[]): string => `| ${used.map((column) => cells[column]).join(" | ")} |`;
  return [line(HEADS), `|${used.map(() => "---|").join("")}`, ...rows.map(line)].join("\n");
}

/** A benchmark's section of the document. */
export function section(
  { name, title, about, servers = [] }: Benchmark,
  compared: readonly Compared[],
  { rounds, day }: { readonly rounds: number; readonly day: string },
): string {
  const { begin, end } = marks(name);
  const measured = `Measured on ${day}, ${rounds} rounds: ${machine(servers)}.`;
  return [begin, `## ${title}`, "", about, "", table(compared), "", measured, end].join("\n");
}

/** The document with this section instead of the benchmark's last one, or after all others. */
export const withSection = (document: string, name: string, text: string): string =>
  withPart(document, marks(name), text);

export async function writeSection(name: string, text: string): Promise<void> {
  await writeFile(DOCUMENT, withSection(await readFile(DOCUMENT, "utf8"), name, text));
}
