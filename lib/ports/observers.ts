import type { Measurement } from "../domain/metrics/measures.ts";

/** What looks on while the work is done. */

/** Numbers for graphs and alarms. */
export interface Metrics {
  /** Writes them at once, so that none waits for an end that may not come. Never throws: work goes before numbers. */
  emit(measurements: readonly Measurement[]): void;
}

/** Times the steps of a run, for a trace. */
export interface Tracer extends AsyncDisposable {
  /**
   * Does the work as one step within the step that it is called in. Result and error are the work's own.
   * @param facts by which traces can be searched; never a secret
   */
  step<T>(name: string, work: () => Promise<T>, facts?: Readonly<Record<string, string>>): Promise<T>;
}
