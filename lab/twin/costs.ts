/**
 * `npm run costs`: runs the stack on this machine, measures each kind of run's use of AWS, and computes the monthly costs.
 * Prints the tables of docs/deploy-aws.md; `--write` updates them.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { serverBinary } from "../server-binaries.ts";
import { createWorld } from "../world.ts";
import { measure, type Scenes, startMeasuredTwin } from "./costs-measure.ts";
import { ASSUMED } from "./costs-model.ts";
import { PRICES, READ_ON } from "./costs-prices.ts";
import type { Recorded } from "./costs-record.ts";
import { BEGIN, costsText, END, measuredOf } from "./costs-table.ts";

const VERSION = "2.10.27";
const DOCUMENT = join(import.meta.dirname, "..", "..", "docs", "deploy-aws.md");

const options = new Command("costs")
  .description("measures the functions' use of AWS and computes the monthly costs")
  .option("--write", "write the tables to docs/deploy-aws.md")
  .parse()
  .opts<{ readonly write?: boolean }>();

/** The calls of one run, most frequent first. */
function callsOf(name: string, { operations }: Recorded): string {
  return `${name}: ${operations.map(([operation, count]) => `${operation} ${count}`).join(", ")}`;
}

async function measureAll(): Promise<{ readonly scenes: Scenes; readonly alarms: number }> {
  const { path } = await serverBinary(VERSION, console.error);
  await using world = await createWorld({ binary: path, size: 3 });
  await using twin = await startMeasuredTwin(world);
  const scenes = await measure(twin, world, (line) => console.error(`measured: ${line}`));
  return { scenes, alarms: twin.deployment.stack.resources("AWS::CloudWatch::Alarm").length };
}

const { scenes, alarms } = await measureAll();
const { sweeps, ...others } = scenes;
for (const [size, sweep] of Object.entries(sweeps)) console.log(callsOf(`a sweep over ${size} accounts`, sweep));
for (const [name, recorded] of Object.entries(others)) console.log(callsOf(name, recorded));
const text = costsText(measuredOf(scenes, alarms));
console.log(`\n${text}\n`);
for (const { usd, per, of, source } of Object.values(PRICES))
  console.log(`$${usd} for ${per === 1 ? "" : `${per.toLocaleString("en")} `}${of} (${source})`);
console.log(`Sources read in ${READ_ON}. Assumed: ${JSON.stringify(ASSUMED)}`);
if (options.write === true) {
  const document = await readFile(DOCUMENT, "utf8");
  const [before, after] = [document.indexOf(BEGIN), document.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${DOCUMENT} has no place for the tables`);
  await writeFile(DOCUMENT, `${document.slice(0, before)}${text}${document.slice(after + END.length)}`);
}
