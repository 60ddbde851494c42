import { noMetrics, noTracer } from "../adapters/local/no-observers.ts";
import type { Config } from "../config/config.ts";
import { measuresOfMessage } from "../domain/metrics/measures.ts";
import { defined } from "../domain/time/defined.ts";
import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { Metrics, Tracer } from "../ports/observers.ts";
import type { Environment } from "./adapters-of.ts";

/**
 * Metrics for CloudWatch if a namespace is configured, otherwise none.
 * @param write receives each line
 */
export async function openMetrics(
  { metrics }: Config,
  env: Environment,
  log: Log,
  write: (line: string) => void,
): Promise<Metrics> {
  const { POWERTOOLS_METRICS_NAMESPACE: namespace, POWERTOOLS_SERVICE_NAME: service = "relight" } = env;
  if (namespace === undefined) return noMetrics;
  const { emfMetrics } = await import("../adapters/aws/telemetry/emf-metrics.ts");
  return emfMetrics({ namespace, service, perAccount: metrics.perAccount, log, write });
}

/** The same, and in metrics that somebody reads. */
export function bothMetrics(written: Metrics, read: Metrics): Metrics {
  const emit: Metrics["emit"] = (measurements) => {
    written.emit(measurements);
    read.emit(measurements);
  };
  return { emit, ...defined({ live: read.live }) };
}

/** Counts the jobs that wait in this process; undefined if nobody reads that. */
export function queueMeter({ live, emit }: Metrics, clock: Clock): (() => () => void) | undefined {
  if (live === undefined) return undefined;
  return () => {
    const since = clock.now();
    const begins = live.waits(since);
    return () => {
      begins();
      emit(measuresOfMessage(since, clock.now()));
    };
  };
}

/** Traces for the X-Ray daemon if Lambda runs one, otherwise none. */
export async function openTracer(): Promise<Tracer> {
  const { AWS_XRAY_DAEMON_ADDRESS: daemon } = process.env;
  if (daemon === undefined) return noTracer;
  const { xrayTracer } = await import("../adapters/aws/telemetry/xray-tracer.ts");
  return xrayTracer({ daemon, header: () => process.env["_X_AMZN_TRACE_ID"] });
}
