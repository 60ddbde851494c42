import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import { METRICS } from "../../../domain/metrics/catalogue.ts";
import type { Dimension } from "../../../domain/metrics/forms.ts";
import { isWanted, type Measurement, type PerAccount } from "../../../domain/metrics/measures.ts";
import type { Log } from "../../../ports/log.ts";
import type { Metrics } from "../../../ports/observers.ts";

/**
 * Measurements per line. EMF allows 100 metrics with 100 values each. At that point Powertools writes by itself and loses
 * the dimensions of what follows, so stay below it.
 */
const MOST_IN_LINE = 99;

export interface EmfSettings {
  readonly namespace: string;
  readonly service: string;
  readonly perAccount: PerAccount;
  readonly log: Log;
  /** Receives each line. */
  readonly write: (line: string) => void;
}

/**
 * Writes metrics as lines in CloudWatch's embedded metric format immediately, so nothing is lost if a function is killed.
 * Limits: docs.aws.amazon.com, "Embedded metric format specification".
 */
export function emfMetrics({ namespace, service, perAccount, log, write }: EmfSettings): Metrics {
  const writer = new Powertools({ namespace, serviceName: service });
  return {
    emit: (measurements) => {
      try {
        const wanted = measurements.filter((measurement) => isWanted(measurement, perAccount));
        for (const line of linesOf(wanted)) write(textOf(writer, line));
      } catch (thrown) {
        log.warn("metrics could not be written", { error: thrown });
      }
    },
  };
}

/** A line has one value per dimension, so measurements with different dimensions need separate lines. */
function linesOf(measurements: readonly Measurement[]): readonly (readonly Measurement[])[] {
  const lines = new Map<string, Measurement[]>();
  for (const measurement of measurements) {
    const { dimensions = {}, highResolution = false } = measurement;
    const key = JSON.stringify([Object.entries(dimensions).sort(), highResolution, isTotal(measurement)]);
    lines.set(key, [...(lines.get(key) ?? []), measurement]);
  }
  return [...lines.values()].flatMap(chunksOf);
}

function chunksOf(line: readonly Measurement[]): readonly (readonly Measurement[])[] {
  const count = Math.ceil(line.length / MOST_IN_LINE);
  return Array.from({ length: count }, (_, index) => line.slice(index * MOST_IN_LINE, (index + 1) * MOST_IN_LINE));
}

function textOf(writer: Powertools, line: readonly Measurement[]): string {
  const [first] = line;
  try {
    // An empty set means `service` alone.
    if (first && isTotal(first)) writer.addDimensions({});
    if (first?.dimensions) writer.addDimensions(dimensionsOf(first.dimensions));
    for (const { name, value, highResolution } of line)
      writer.addMetric(name, METRICS[name].cloudWatch.unit, value, highResolution === true ? 1 : 60);
    return JSON.stringify(writer.serializeMetrics());
  } finally {
    writer.clearMetrics();
    writer.clearDimensions();
  }
}

/** One account's expiry must not count as the soonest of all accounts, which a sweep reports. */
function isTotal({ name, dimensions }: Measurement): boolean {
  return METRICS[name].cloudWatch.total && dimensions?.Account === undefined;
}

function dimensionsOf(dimensions: Readonly<Partial<Record<Dimension, string>>>): Record<string, string> {
  return Object.fromEntries(Object.entries(dimensions).filter(([, value]) => value !== ""));
}
