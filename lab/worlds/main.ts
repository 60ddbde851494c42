/**
 * `npm run worlds -- --seeds N`: builds random worlds on real servers, damages them, runs Relight on them, and compares
 * what it says with what an independent client sees.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { reapServers } from "../nats-server.ts";
import { clearProgress, endsOrderly, sayProgress } from "../progress.ts";
import { generate, WORLD_VERSIONS } from "./generate.ts";
import type { WorldPlan } from "./plan.ts";
import { describe, isAlike, reduce } from "./reduce.ts";
import { summarize } from "./summary.ts";
import { type Result, tryWorld } from "./try-world.ts";

const HELP = `npm run worlds -- [options]

Builds random worlds on real nats-servers, damages them, and runs Relight on them. A judge that shares no code with
Relight uses every stream, consumer and bucket as applications do. Where the two disagree, the world is reduced to the
smallest one in which they still do, and is written to a file.

  --seeds COUNT       how many worlds (default 10)
  --seed NUMBER       the first seed (default 1); or all seeds, separated by commas
  --versions LIST     nats-server versions, separated by commas (default ${WORLD_VERSIONS.join(",")})
  --minutes COUNT     start no more worlds after this time
  --jobs COUNT        how many worlds at once (default 2)
  --results FILE      where results go, one JSON document per line (default .cache/worlds/results.jsonl).
                      A world whose result is there is not tried again
  --world FILE        try this world only: a plan, or a result or reduced world with one
  --print             only print the worlds
  --no-reduce         do not reduce worlds with disagreements
  --verbose           print every step of every world
  --help

Exit codes: 0 no disagreement, 1 disagreements, 3 wrong options.`;

const OPTIONS = {
  seeds: { type: "string", default: "10" },
  seed: { type: "string", default: "1" },
  versions: { type: "string", default: WORLD_VERSIONS.join(",") },
  minutes: { type: "string", default: "1000000" },
  jobs: { type: "string", default: "2" },
  results: { type: "string", default: join(import.meta.dirname, "..", "..", ".cache", "worlds", "results.jsonl") },
  world: { type: "string" },
  print: { type: "boolean", default: false },
  "no-reduce": { type: "boolean", default: false },
  verbose: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const stopped = endsOrderly();

function options() {
  try {
    const { values } = parseArgs({ options: OPTIONS });
    const numbers = [values.seeds, values.minutes, values.jobs, ...values.seed.split(",")].map(Number);
    if (numbers.some((one) => !Number.isFinite(one) || one < 0)) throw new Error("a number is not one");
    return values;
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return process.exit(3);
  }
}

const values = options();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

/** The plans of the results that are already there. */
function doneIn(file: string): ReadonlySet<string> {
  if (!existsSync(file)) return new Set();
  return new Set(resultsIn(file).map(({ plan }) => JSON.stringify(plan)));
}

const resultsIn = (file: string): readonly Result[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Result);

function plansOf(): readonly WorldPlan[] {
  if (values.world !== undefined) {
    const given = JSON.parse(readFileSync(values.world, "utf8")) as WorldPlan | { plan: WorldPlan };
    return ["plan" in given ? given.plan : given];
  }
  const versions = values.versions.split(",");
  const [first = 1, ...others] = values.seed.split(",").map(Number);
  const seeds =
    others.length > 0 ? [first, ...others] : Array.from({ length: Number(values.seeds) }, (_, index) => first + index);
  return seeds.map((seed) => generate(seed, versions));
}

function report(result: Result): void {
  const { plan, invalid, disagreements, seconds, steps } = result;
  const state = invalid !== undefined ? `invalid: ${invalid}` : disagreements.length === 0 ? "ok" : "DISAGREES";
  clearProgress();
  console.log(`seed ${plan.seed} (${seconds} s) ${describe(plan)}: ${state}`);
  for (const { kind, at, what } of disagreements) console.log(`    ${kind} (${at}): ${what}`);
  if (values.verbose) for (const step of steps) console.log(`  ${JSON.stringify(step)}`);
}

/** Finds the smallest world that disagrees in the same way, and writes it beside the results. */
async function keepSmallest(result: Result, folder: string): Promise<void> {
  let last = result;
  const smallest = await reduce(result.plan, async (plan) => {
    if (stopped.aborted) return false;
    const tried = await tryWorld(plan, stopped);
    const isSame = isAlike(result.disagreements, tried.disagreements);
    if (isSame) last = tried;
    return isSame;
  });
  const file = join(folder, `seed-${result.plan.seed}.json`);
  const summary = `${describe(smallest)}: ${last.disagreements.map(({ kind, what }) => `${kind}: ${what}`).join("; ")}`;
  writeFileSync(
    file,
    `${JSON.stringify({ summary, plan: smallest, disagreements: last.disagreements, steps: last.steps }, null, 2)}\n`,
  );
  console.log(`    smallest: ${summary}\n    npm run worlds -- --world ${file}`);
}

async function main(): Promise<void> {
  const plans = plansOf();
  if (values.print) {
    for (const plan of plans) console.log(JSON.stringify(plan, null, 2));
    return;
  }
  const file = values.results;
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true });
  const done = values.world === undefined ? doneIn(file) : new Set<string>();
  const left = plans.filter((plan) => !done.has(JSON.stringify(plan)));
  if (left.length < plans.length) console.log(`${plans.length - left.length} worlds were tried before`);
  const end = performance.now() + Number(values.minutes) * 60_000;
  const results: Result[] = [];
  const total = left.length;
  const work = async (): Promise<void> => {
    for (;;) {
      const plan = left.shift();
      if (plan === undefined || stopped.aborted || performance.now() > end) return;
      const bad = results.filter(({ disagreements }) => disagreements.length > 0).length;
      sayProgress(`${results.length} of ${total} worlds, ${bad} with disagreements; now seed ${plan.seed}`);
      const result = await tryWorld(plan, stopped);
      if (stopped.aborted) return;
      results.push(result);
      if (values.world === undefined) appendFileSync(file, `${JSON.stringify(result)}\n`);
      report(result);
      if (result.disagreements.length > 0 && !values["no-reduce"]) await keepSmallest(result, folder);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.log(`\n${summarize(results)}`);
  if (results.some(({ disagreements }) => disagreements.length > 0)) process.exitCode = 1;
}

// A client whose server is gone may fail when nobody waits for it any more.
process.on("unhandledRejection", (reason) => {
  if (values.verbose) console.error(`unhandled: ${String(reason)}`);
});
await main();
await reapServers();
process.exit();
