import type { Measurement } from "../domain/metrics/measures.ts";

/** Metrics and traces of the work. */

/** Numbers for graphs and alarms. */
export interface Metrics {
  /** Writes the values immediately, because the process may crash. Never throws, because metrics must not stop a job. */
  emit(measurements: readonly Measurement[]): void;
}

/** Traces the steps of a run. */
export interface Tracer extends AsyncDisposable {
  /**
   * Runs the work as a step within the current step, and returns or throws what the work does.
   * @param facts for searching traces; never secrets
   */
  step<T>(name: string, work: () => Promise<T>, facts?: Readonly<Record<string, string>>): Promise<T>;
}
