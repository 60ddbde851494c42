import { z } from "zod";

/**
 * CloudWatch's embedded metric format according to its specification (docs.aws.amazon.com, "Specification: Embedded
 * metric format"): CloudWatch silently drops whatever breaks these rules.
 */
const UNITS = /^(Seconds|Microseconds|Milliseconds|Count|Percent|None|(Kilo|Mega|Giga|Tera)?(Bytes|Bits)(\/Second)?)$/;

const definition = z.strictObject({
  Name: z.string().min(1).max(1_024),
  Unit: z.string().regex(UNITS).optional(),
  StorageResolution: z.union([z.literal(1), z.literal(60)]).optional(),
});

const directive = z.strictObject({
  Namespace: z.string().min(1).max(1_024).regex(/^[^:]/),
  Dimensions: z.array(z.array(z.string().min(1).max(250)).max(30)).min(1),
  Metrics: z.array(definition).min(1).max(100),
});

const metadata = z.strictObject({
  Timestamp: z.number().int().positive(),
  CloudWatchMetrics: z.array(directive).min(1),
});

export interface EmfValue {
  readonly name: string;
  readonly unit: string | undefined;
  readonly resolution: number;
  readonly values: readonly number[];
  /** Each of its dimension sets, with the values. */
  readonly dimensions: readonly Readonly<Record<string, string>>[];
}

export const isEmf = (line: string): boolean => line.startsWith('{"_aws"');

/** What CloudWatch would read from one line. @throws what violates the specification */
export function readEmf(line: string): readonly EmfValue[] {
  const root = z.looseObject({ _aws: metadata }).parse(JSON.parse(line));
  if (Buffer.byteLength(line) > 1_048_576) throw new Error("a log event has 1 MB at most");
  return root._aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }) => {
    const dimensions = Dimensions.map((names) =>
      Object.fromEntries(names.map((name) => [name, z.string().min(1).max(1_024).parse(root[name])])),
    );
    return Metrics.map(({ Name, Unit, StorageResolution = 60 }) => {
      const values = z.union([z.number(), z.array(z.number()).min(1).max(100)]).parse(root[Name]);
      return { name: Name, unit: Unit, resolution: StorageResolution, values: [values].flat(), dimensions };
    });
  });
}

/** `JobsFinished{Outcome=healed}=1`, once for each dimension set, for short comparisons. */
export function emfSummary(lines: readonly string[]): readonly string[] {
  return lines.flatMap(readEmf).flatMap(({ name, values, dimensions }) =>
    dimensions.flatMap(({ service: _service, ...set }) => {
      const named = Object.entries(set).map(([key, value]) => `${key}=${value}`);
      return values.map((value) => `${name}${named.length > 0 ? `{${named.join(",")}}` : ""}=${value}`);
    }),
  );
}
