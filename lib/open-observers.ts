import { noMetrics } from "./adapters/local/no-observers.ts";
import type { Environment } from "./adapters-of.ts";
import type { Config } from "./config.ts";
import type { Log, Metrics } from "./ports.ts";

/** Where numbers go: to CloudWatch where the stack names a namespace, to nobody elsewhere. */
export async function openMetrics({ metrics }: Config, env: Environment, log: Log): Promise<Metrics> {
  const { POWERTOOLS_METRICS_NAMESPACE: namespace, POWERTOOLS_SERVICE_NAME: service = "relight" } = env;
  if (namespace === undefined) return noMetrics;
  const { emfMetrics } = await import("./adapters/aws/emf-metrics.ts");
  return emfMetrics({ namespace, service, perAccount: metrics.perAccount, log });
}
