import { noMetrics, noTracer } from "../adapters/local/no-observers.ts";
import type { Config } from "../config/config.ts";
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

/** Traces for the X-Ray daemon if Lambda runs one, otherwise none. */
export async function openTracer(): Promise<Tracer> {
  const { AWS_XRAY_DAEMON_ADDRESS: daemon } = process.env;
  if (daemon === undefined) return noTracer;
  const { xrayTracer } = await import("../adapters/aws/telemetry/xray-tracer.ts");
  return xrayTracer({ daemon, header: () => process.env["_X_AMZN_TRACE_ID"] });
}
