import type { Metrics, Tracer } from "../../ports/observers.ts";

/** No metrics: on one machine, use the journal and `relight status`. */
export const noMetrics: Metrics = { emit: () => {} };

/** No traces. */
export const noTracer: Tracer = {
  step: (_name, work) => work(),
  [Symbol.asyncDispose]: async () => {},
};
