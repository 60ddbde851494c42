import type { RungReport } from "../ladder/rung.ts";
import type { Health } from "../verdict/verdict.ts";

/** A metric's dimensions besides `service`, which every metric has. */
export type Dimension = "Outcome" | "Verdict" | "Rung" | "Account";

interface CloudWatchForm {
  readonly unit: "Count" | "Seconds";
  /** The dimensions it is emitted with; empty if only `service`. */
  readonly dimensions: readonly Dimension[];
  /** Whether it is (also) emitted with `service` alone, which alarms need. */
  readonly total: boolean;
}

interface PrometheusForm {
  readonly name: `relight_${string}`;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly ("outcome" | "verdict" | "rung" | "account" | "name" | "version")[];
  /** Of a histogram; seconds. */
  readonly buckets?: readonly number[];
  readonly help: string;
}

/** One metric in both forms. One without CloudWatch's shows what is known when it is read; it is never emitted. */
export interface MetricDescription {
  readonly cloudWatch?: CloudWatchForm;
  readonly prometheus: PrometheusForm;
  /** When a value is emitted, and what it means. */
  readonly when: string;
  /** Which values are bad, and what to do then. */
  readonly advice: string;
}

const OUTCOMES = [
  ...["healthy", "healed", "escalated", "unhealed", "refused", "verified", "renewed", "pushed", "looked", "rotated"],
  ...["expired", "deleted", "again", "failed"],
];
const VERDICTS: Readonly<Record<Health, true>> = { healthy: true, degraded: true, dead: true, unknown: true };
const RUNGS: Readonly<Record<RungReport["rung"], true>> = {
  "push-again": true,
  "restore-consumers": true,
  "step-down-leaders": true,
  "scale-up": true,
  "toggle-direct-gets": true,
  "touch-metadata": true,
  "enter-tiers": true,
  "toggle-jetstream": true,
  "restart-servers": true,
  renew: true,
  "finish-toggle": true,
  "finish-changes": true,
  reconcile: true,
};

/** What each label may say. Prometheus keeps a series for each value for as long as it runs, so anything else is `other`. */
export const LABEL_VALUES: Readonly<Record<string, readonly string[]>> = {
  outcome: OUTCOMES,
  verdict: Object.keys(VERDICTS),
  rung: Object.keys(RUNGS),
};
