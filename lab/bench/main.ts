/**
 * `npm run bench`: measures Relight beside bare baselines on the same work, and writes docs/benchmarks.md.
 */
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { reapServers } from "../nats-server.ts";
import { BENCHMARKS } from "./benchmarks.ts";
import { type Bench, type Benchmark, type Compared, compare } from "./frame.ts";
import { DOCUMENT, section, table, writeSection } from "./report.ts";

const HELP = `npm run bench -- [options] [benchmark…]

Measures Relight on real nats-servers, each time beside a baseline that does the same work with as little as possible:
a bare NATS client, or a program on the PATH. Prints a table for each benchmark, and writes it to docs/benchmarks.md.
Without names it runs all but the slow ones:

${BENCHMARKS.map(({ name, title, onlyIfNamed }) => `  ${name.padEnd(18)}  ${title}${onlyIfNamed ? " (slow)" : ""}`).join("\n")}

  --rounds COUNT      how often each of them runs; odd, for the median (default 5)
  --scale NUMBER      with less work, such as 0.1 for a tenth; then it only prints
  --print             only print; leave the document as it is
  --profile FOLDER    also write a CPU profile of each run of Relight, which then takes longer; only prints
  --help

Exit codes: 0 measured, 1 something failed, 3 wrong options, 130 stopped by Ctrl-C.`;

const OPTIONS = {
  rounds: { type: "string", default: "5" },
  scale: { type: "string", default: "1" },
  print: { type: "boolean", default: false },
  profile: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

interface Wanted {
  readonly benchmarks: readonly Benchmark[];
  readonly rounds: number;
  readonly scale: number;
  readonly writes: boolean;
  readonly profiles?: string;
}

function wrong(message: string): never {
  console.error(`${message}\n\n${HELP}`);
  process.exit(3);
}

function wanted(): Wanted {
  const { values, positionals } = (() => {
    try {
      return parseArgs({ options: OPTIONS, allowPositionals: true });
    } catch (error) {
      return wrong((error as Error).message);
    }
  })();
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const unknown = positionals.filter((name) => !BENCHMARKS.some((one) => one.name === name));
  if (unknown.length > 0) wrong(`no benchmark is called ${unknown.join(", ")}`);
  const [rounds, scale] = [Number(values.rounds), Number(values.scale)];
  if (!Number.isSafeInteger(rounds) || rounds < 1) wrong("--rounds is not a whole number above zero");
  if (!(scale > 0 && scale <= 1)) wrong("--scale is not a number above zero, at most 1");
  const { profile } = values;
  return {
    benchmarks: BENCHMARKS.filter(({ name, onlyIfNamed = false }) =>
      positionals.length === 0 ? !onlyIfNamed : positionals.includes(name),
    ),
    rounds,
    scale,
    writes: !values.print && scale === 1 && profile === undefined,
    ...(profile === undefined ? {} : { profiles: resolve(profile) }),
  };
}

async function measure(benchmark: Benchmark, want: Wanted, signal: AbortSignal): Promise<readonly Compared[]> {
  const compared: Compared[] = [];
  const say = (line: string): void => console.error(`${benchmark.name}: ${line}`);
  const bench: Bench = {
    signal,
    say,
    scaled: (count) => Math.max(1, Math.round(count * want.scale)),
    compare: async (comparison) => {
      const result = await compare(comparison, { rounds: want.rounds, say, signal });
      compared.push(result);
      return result;
    },
    ...(want.profiles === undefined ? {} : { profiles: want.profiles }),
  };
  await benchmark.run(bench);
  return compared;
}

const want = wanted();
if (want.profiles !== undefined) mkdirSync(want.profiles, { recursive: true });
await reapServers();
const stopped = new AbortController();
// The benchmark that runs disposes of what it started; a second Ctrl-C ends at once, and kills the processes.
const stop = (): void => (stopped.signal.aborted ? process.exit(130) : stopped.abort());
process.on("SIGINT", stop).on("SIGTERM", stop);

for (const benchmark of want.benchmarks) {
  try {
    const compared = await measure(benchmark, want, stopped.signal);
    console.log(`\n${benchmark.title}\n\n${table(compared)}\n`);
    if (!want.writes) continue;
    const day = new Date().toISOString().slice(0, 10);
    await writeSection(benchmark.name, section(benchmark, compared, { rounds: want.rounds, day }));
    console.error(`${benchmark.name}: written to ${DOCUMENT}`);
  } catch (error) {
    if (stopped.signal.aborted) break;
    console.error(`${benchmark.name}: ${(error as Error).stack ?? String(error)}`);
    process.exitCode = 1;
  }
}
process.off("SIGINT", stop).off("SIGTERM", stop);
if (stopped.signal.aborted) process.exitCode = 130;
