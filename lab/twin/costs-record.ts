import type { Call } from "./call.ts";
import type { ProbeLine } from "./costs-probe.ts";
import { unitsOf } from "./costs-units.ts";
import type { Twin } from "./twin.ts";

/** What one run of a function used on average, in the units of the bill. */
export interface Usage {
  readonly calls: number;
  readonly read: number;
  readonly write: number;
  /** Bytes that stay in the journal, indexes included. */
  readonly stored: number;
  readonly sqs: number;
  readonly secrets: number;
  readonly events: number;
  /** Bytes of log lines, metrics among them. */
  readonly logs: number;
  /** Milliseconds of CPU after the imports, on this machine. */
  readonly cpu: number;
  /** Milliseconds waiting for the cluster and pausing, without computing or waiting for AWS. */
  readonly waited: number;
}

/** A cold start and memory. */
export interface Start {
  /** Milliseconds of CPU until everything is imported. */
  readonly imports: number;
  /** Megabytes, at most. */
  readonly memory: number;
}

export interface Recorded {
  readonly runs: number;
  readonly usage: Usage;
  readonly start: Start;
  /** Operations and how often one run called each, most frequent first. */
  readonly operations: readonly (readonly [string, number])[];
  /** Each metric with its dimensions' values, which CloudWatch charges separately. */
  readonly metrics: ReadonlySet<string>;
}

/** Bytes that CloudWatch charges for each line besides its text; from its pricing page. */
const EVENT_OVERHEAD = 26;

/** Starts recording; the returned function returns what `name` did since then. */
export function recording({ proxy, functions }: Twin, name: string): () => Recorded {
  const [call, line, run] = [proxy.calls.length, functions.lines.length, functions.runs.length];
  return () => {
    const runs = functions.runs.slice(run).filter((each) => each.function === name).length;
    if (runs === 0) throw new Error(`${name} did not run`);
    const calls = proxy.calls.slice(call).filter(({ caller }) => caller === name);
    const texts = functions.lines
      .slice(line)
      .filter((each) => each.function === name)
      .map(({ text }) => text);
    const probes = texts.filter(isProbe).map((text) => (JSON.parse(text) as ProbeLine).probe);
    if (probes.length !== runs)
      throw new Error(`${runs} runs of ${name}, but ${probes.length} reported what they used`);
    const each = (total: number): number => total / runs;
    const sum = <T>(list: readonly T[], value: (one: T) => number): number =>
      each(list.reduce((all, one) => all + value(one), 0));
    const lines = texts.filter((text) => !isProbe(text));
    const count = (service: string): number => each(calls.filter((one) => one.service === service).length);
    const units = calls.map(unitsOf);
    const cpu = sum(probes, ({ imported, end }) => end.cpu - imported.cpu);
    return {
      runs,
      usage: {
        calls: each(calls.length),
        read: sum(units, ({ read }) => read),
        write: sum(units, ({ write }) => write),
        stored: sum(units, ({ stored }) => stored),
        sqs: count("sqs"),
        secrets: count("secretsmanager"),
        events: count("events"),
        cpu,
        logs: sum(lines, (text) => Buffer.byteLength(text) + EVENT_OVERHEAD),
        waited: Math.max(0, sum(probes, ({ imported, end }) => end.wall - imported.wall) - cpu - each(timeIn(calls))),
      },
      start: {
        imports: sum(probes, ({ imported }) => imported.cpu),
        memory: Math.max(...probes.map(({ memory }) => memory)),
      },
      operations: counted(calls.map(({ service, operation }) => `${service}:${operation}`)).map(
        ([key, n]) => [key, each(n)] as const,
      ),
      metrics: new Set(lines.flatMap(metricsIn)),
    };
  };
}

const isProbe = (text: string): boolean => text.startsWith('{"probe":');

function counted(names: readonly string[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a);
}

interface Emf {
  readonly _aws?: {
    readonly CloudWatchMetrics: readonly {
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string }[];
    }[];
  };
}

/** The series in a line of EMF: a metric in each of its dimension sets. */
function metricsIn(text: string): readonly string[] {
  if (!text.includes('"_aws"')) return [];
  const line = JSON.parse(text) as Emf & Readonly<Record<string, unknown>>;
  return (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Dimensions, Metrics }) =>
    Dimensions.flatMap((set) =>
      Metrics.map(({ Name }) => `${Name} ${set.map((key) => `${key}=${line[key]}`).join(" ")}`),
    ),
  );
}

/** Milliseconds in which calls to the emulator were in flight, whose duration differs from AWS's. */
function timeIn(calls: readonly Call[]): number {
  let [until, total] = [0, 0];
  for (const { at, took = 0 } of calls.toSorted((a, b) => a.at - b.at)) {
    total += Math.max(0, at + took - Math.max(until, at));
    until = Math.max(until, at + took);
  }
  return total;
}
