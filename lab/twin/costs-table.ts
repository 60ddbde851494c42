import type { Scenes } from "./costs-measure.ts";
import { type Bill, billOf, type Measured, type Setting, STEPS, type Step } from "./costs-model.ts";
import type { Recorded, Start, Usage } from "./costs-record.ts";
import { SIZES } from "./costs-sizes.ts";

/** Writes and reads the tables of docs/deploy-aws.md; `npm run costs` prints them. */

const COLUMNS = [
  "calls",
  "read",
  "write",
  "stored",
  "sqs",
  "secrets",
  "events",
  "logs",
  "cpu",
  "waited",
  "imports",
  "memory",
] as const satisfies readonly (keyof (Usage & Start))[];

const TITLES: Readonly<Record<(typeof COLUMNS)[number], string>> = {
  calls: "AWS calls",
  read: "read units",
  write: "write units",
  stored: "bytes stored",
  sqs: "SQS calls",
  secrets: "Secrets Manager calls",
  events: "EventBridge calls",
  logs: "log bytes",
  cpu: "CPU, ms",
  waited: "NATS wait, ms",
  imports: "imports, ms",
  memory: "memory, MB",
};

const NAMES: Readonly<Record<Step, string>> = {
  sweep: "a sweep, fixed part",
  account: "each account in a sweep",
  look: "a routine check",
  renewal: "a renewal",
  heal: "a heal",
  page: "a sweep that fails and pages",
  told: "a page sent",
  webhook: "a webhook",
};

/** Typical sizes; the last three differ in how often accounts are checked. */
export const SETTINGS: readonly Setting[] = [
  { accounts: 10, verifyEvery: 5 },
  { accounts: 1_000, verifyEvery: 5 },
  { accounts: 100_000, verifyEvery: 24 * 60 },
  { accounts: 100_000, verifyEvery: 60 },
  { accounts: 100_000, verifyEvery: 5 },
];

/** A sweep is measured at two sizes: the difference is the cost per account, the rest the fixed cost. */
export function measuredOf({ sweeps, look, renewal, heal, page, told, webhook }: Scenes, alarms: number): Measured {
  const [small, large] = SIZES;
  const [few, many] = [sweeps[small], sweeps[large]];
  if (few === undefined || many === undefined) throw new Error("a sweep was not measured");
  const account = mapped((key) => Math.max(0, (usageOf(many, key) - usageOf(few, key)) / (large - small)));
  const fixed = mapped((key) => Math.max(0, usageOf(few, key) - small * account[key]));
  const start = { imports: few.start.imports, memory: many.start.memory };
  const all = [few, many, look, renewal, heal, page, told, webhook];
  const plain = ({ usage, start }: Recorded): Usage & Start => ({ ...usage, ...start });
  const rows = { look, renewal, heal, page, told, webhook };
  const steps = Object.fromEntries(Object.entries(rows).map(([step, recorded]) => [step, plain(recorded)]));
  return {
    steps: {
      ...steps,
      sweep: { ...fixed, ...start },
      account: { ...account, imports: 0, memory: 0 },
    } as Measured["steps"],
    metrics: new Set(all.flatMap(({ metrics }) => [...metrics])).size,
    alarms,
  };
}

const usageOf = ({ usage }: Recorded, key: keyof Usage): number => usage[key];

function mapped(value: (key: keyof Usage) => number): Usage {
  const keys = COLUMNS.filter((key) => key !== "imports" && key !== "memory");
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as unknown as Usage;
}

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const rule = (count: number): string => row(Array.from({ length: count }, () => "---"));

/** Two decimals for small values, none for large ones. */
const short = (value: number): string => (value < 10 ? String(Number(value.toFixed(2))) : String(Math.round(value)));

export function measuredTable({ steps, metrics, alarms }: Measured): string {
  const rows = STEPS.map((step) => row([NAMES[step], ...COLUMNS.map((key) => short(steps[step][key]))]));
  const head = [row(["", ...COLUMNS.map((key) => TITLES[key])]), rule(COLUMNS.length + 1)];
  return [...head, ...rows, "", `Series of metrics: ${metrics}. Alarms: ${alarms}.`].join("\n");
}

/** Reads {@link measuredTable} back. @throws Error if the format is wrong. */
export function readMeasured(text: string): Measured {
  const cellsOf = (line: string): string[] =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map(cellsOf);
  const stepOf = (step: Step): Usage & Start => {
    const cells = lines.find(([name]) => name === NAMES[step]);
    if (cells?.length !== COLUMNS.length + 1) throw new Error(`the table has no valid row "${NAMES[step]}"`);
    return Object.fromEntries(COLUMNS.map((key, index) => [key, Number(cells[index + 1])])) as unknown as Usage & Start;
  };
  const [, metrics, alarms] = /Series of metrics: (\d+)\. Alarms: (\d+)\./.exec(text) ?? [];
  if (alarms === undefined) throw new Error("the table does not say how many metrics and alarms there are");
  const steps = Object.fromEntries(STEPS.map((step) => [step, stepOf(step)])) as Measured["steps"];
  return { steps, metrics: Number(metrics), alarms: Number(alarms) };
}

const dollars = (usd: number): string =>
  usd < 0.005
    ? "0"
    : usd.toLocaleString(
        "en",
        usd < 100 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { maximumFractionDigits: 0 },
      );

const duration = (minutes: number): string =>
  minutes % 1440 === 0 ? `${minutes / 1440}d` : minutes % 60 === 0 ? `${minutes / 60}h` : `${minutes}m`;

export function costTable(measured: Measured, settings: readonly Setting[] = SETTINGS): string {
  const bills = settings.map((setting) => billOf(measured, setting));
  const cells = (name: string, value: (bill: Bill) => string): string => row([name, ...bills.map(value)]);
  const names = Object.keys(bills[0]?.lines ?? {});
  return [
    cells("accounts", ({ setting }) => setting.accounts.toLocaleString("en")),
    rule(bills.length + 1),
    cells("`sweep.verifyEvery`", ({ setting }) => duration(setting.verifyEvery)),
    ...names.map((name) => cells(name, ({ lines }) => dollars(lines[name] ?? 0))),
    cells("**US dollars per month**", ({ total }) => `**${dollars(total)}**`),
    cells("checks per month", ({ looksAMonth }) => Math.round(looksAMonth).toLocaleString("en")),
    cells("concurrent jobs, average", ({ atOnce }) => short(atOnce)),
    cells("sweep duration, s", ({ sweepTakes }) => short(sweepTakes)),
  ].join("\n");
}

export const BEGIN = "<!-- costs -->";
export const END = "<!-- /costs -->";

/** The part of docs/deploy-aws.md between its markers. The second table is computed from the first one as printed. */
export function costsText(measured: Measured): string {
  const table = measuredTable(measured);
  return [BEGIN, table, "", costTable(readMeasured(table)), END].join("\n");
}
