/** The frame of all benchmarks: rounds, medians, spread and ratios. Each benchmark is a file of its own (benchmarks.ts). */

/** What one run of one contestant cost. */
export interface Sample {
  /** Wall time. */
  readonly seconds: number;
  /** The process's largest resident memory, in MB; absent if not measured. */
  readonly megabytes?: number;
  /** Its own CPU time, in seconds, which says more than the time on a busy machine; absent if not measured. */
  readonly cpu?: number;
  /** CPU time of the servers meanwhile, in seconds; absent if not measured. */
  readonly serverCpu?: number;
}

/** What one of ours should not exceed. */
export interface Aim {
  /** As a multiple of the baseline's time. */
  readonly times?: number;
  readonly seconds?: number;
  readonly megabytes?: number;
}

/** One way to do the work. */
export interface Contestant {
  readonly name: string;
  /** Absent for a baseline, and for what others do. */
  readonly aim?: Aim;
  /** Does the work once. @throws if it was not done, because the time of a failure means nothing */
  readonly run: (round: number) => Promise<Sample>;
  /** At most this many rounds, for a slow one. */
  readonly rounds?: number;
}

/** One that can't take part on this machine, and why. */
export interface Missing {
  readonly name: string;
  readonly missing: string;
}

/** Several ways to do the same work, in turn, so that other load on the machine hits all of them. */
export interface Comparison {
  /** For the table: the work that each of them does. */
  readonly work: string;
  readonly baseline: Contestant;
  readonly others: readonly (Contestant | Missing)[];
}

export interface Row {
  readonly name: string;
  readonly aim?: Aim;
  readonly samples: readonly Sample[];
  /** Each round's time as a multiple of the baseline's in the same round; empty for the baseline. */
  readonly ratios: readonly number[];
  readonly missing?: string;
}

export interface Compared extends Pick<Comparison, "work"> {
  readonly rows: readonly Row[];
}

/** What a benchmark runs in. */
export interface Bench {
  /** Aborted by Ctrl-C. Loops and children end then. */
  readonly signal: AbortSignal;
  /** `count`, or fewer with `--scale`. */
  scaled(count: number): number;
  /** A line of progress. */
  say(line: string): void;
  /** Runs a comparison; its rows appear in the benchmark's table. */
  compare(comparison: Comparison): Promise<Compared>;
  /** A folder for CPU profiles of the product, with `--profile`. */
  readonly profiles?: string;
}

/** One subject, with one or more comparisons. */
export interface Benchmark {
  /** What people type. */
  readonly name: string;
  readonly title: string;
  /** What is measured, and how; for the document. */
  readonly about: string;
  /** The nats-server versions that it uses. */
  readonly servers?: readonly string[];
  /** Takes many minutes, so it is no part of everything. */
  readonly onlyIfNamed?: true;
  run(bench: Bench): Promise<void>;
}

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Undefined for no values. */
export function summaryOf(values: readonly number[]): Summary | undefined {
  const sorted = values.toSorted((one, other) => one - other);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return undefined;
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? most;
  const lower = sorted[sorted.length % 2 === 0 ? half - 1 : half] ?? least;
  return { median: (lower + upper) / 2, least, most };
}

const isMissing = (one: Contestant | Missing): one is Missing => "missing" in one;
const takesPart = (one: Contestant | Missing): one is Contestant => !isMissing(one);

/** Runs all contestants in turn, `rounds` times. */
export async function compare(
  { work, baseline, others }: Comparison,
  { rounds, say, signal }: Pick<Bench, "say" | "signal"> & { readonly rounds: number },
): Promise<Compared> {
  const running = [baseline, ...others.filter(takesPart)];
  const samples = new Map(running.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 1; round <= rounds; round++)
    for (const { name, run, rounds: most = rounds } of running) {
      if (round > most) continue;
      signal.throwIfAborted();
      const sample = await run(round);
      samples.get(name)?.push(sample);
      say(`round ${round} of ${rounds}: ${name}: ${sample.seconds.toFixed(3)} s`);
    }
  const base = samples.get(baseline.name) ?? [];
  const rowOf = (one: Contestant | Missing): Row => {
    const { name } = one;
    if (isMissing(one)) return { name, samples: [], ratios: [], missing: one.missing };
    const own = samples.get(name) ?? [];
    const ratios = one === baseline ? [] : own.map(({ seconds }, index) => seconds / (base[index]?.seconds ?? seconds));
    return { name, samples: own, ratios, ...(one.aim === undefined ? {} : { aim: one.aim }) };
  };
  return { work, rows: [baseline, ...others].map(rowOf) };
}
