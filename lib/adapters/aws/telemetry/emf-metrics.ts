import { Metrics as Powertools } from "@aws-lambda-powertools/metrics";
import {
  type Dimension,
  isWanted,
  METRICS,
  type Measurement,
  type PerAccount,
} from "../../../domain/metrics/measures.ts";
import type { Log } from "../../../ports/log.ts";
import type { Metrics } from "../../../ports/observers.ts";

/**
 * Measurements in one line. EMF takes 100 metrics and 100 values of each; Powertools writes by itself when it has
 * so many, and forgets the dimensions of what comes after, so it is never let come to that.
 */
const MOST_IN_LINE = 99;

export interface EmfSettings {
  readonly namespace: string;
  readonly service: string;
  readonly perAccount: PerAccount;
  readonly log: Log;
  /** Takes each line. */
  readonly write: (line: string) => void;
}

/**
 * Metrics as lines in CloudWatch's embedded metric format, written as they come: nothing is lost when a function is
 * killed. Its limits: docs.aws.amazon.com, "Embedded metric format specification".
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

/** One line has one value for each dimension, so what differs in them goes into lines of its own. */
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
  return Array.from({ length: count }, (_, index) =>
    line.slice(index * MOST_IN_LINE, (index + 1) * MOST_IN_LINE),
  );
}

function textOf(writer: Powertools, line: readonly Measurement[]): string {
  const [first] = line;
  try {
    // An empty set is `service` alone.
    if (first && isTotal(first)) writer.addDimensions({});
    if (first?.dimensions) writer.addDimensions(dimensionsOf(first.dimensions));
    for (const { name, value, highResolution } of line)
      writer.addMetric(name, METRICS[name].unit, value, highResolution === true ? 1 : 60);
    return JSON.stringify(writer.serializeMetrics());
  } finally {
    writer.clearMetrics();
    writer.clearDimensions();
  }
}

/** The soonest expiry of all accounts is a sweep's to tell, never one account's. */
function isTotal({ name, dimensions }: Measurement): boolean {
  return METRICS[name].total && dimensions?.Account === undefined;
}

function dimensionsOf(dimensions: Readonly<Partial<Record<Dimension, string>>>): Record<string, string> {
  return Object.fromEntries(Object.entries(dimensions).filter(([, value]) => value !== ""));
}
