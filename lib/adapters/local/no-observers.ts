import type { Metrics, Tracer } from "../../ports/observers.ts";

/** Nobody counts: on one machine the journal and `relight status` tell. */
export const noMetrics: Metrics = { emit: () => {} };

/** Nobody times. */
export const noTracer: Tracer = {
  step: (_name, work) => work(),
  [Symbol.asyncDispose]: async () => {},
};
