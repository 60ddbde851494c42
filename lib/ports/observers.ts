import type { AccountId } from "../domain/claims/account.ts";
import type { Measurement } from "../domain/metrics/measures.ts";
import type { EpochMillis } from "../domain/time/time.ts";
import type { Health } from "../domain/verdict/verdict.ts";

/** Metrics and traces of the work. */

/** Numbers for graphs and alarms. */
export interface Metrics {
  /** Writes the values immediately, because the process may crash. Never throws, because metrics must not stop a job. */
  emit(measurements: readonly Measurement[]): void;
  /** Absent in metrics that are only written. */
  readonly live?: LiveMetrics;
}

/** What is shown whenever somebody reads the metrics. */
export interface LiveMetrics {
  /** What is known of these accounts; `all`: there are no others. */
  accounts(states: readonly AccountState[], which: "all" | "some"): void;
  /** A job waits since then. The result is called once it no longer does. */
  waits(since: EpochMillis): () => void;
}

/** An account, as its newest job or a sweep knows it. Absent fields are unknown. */
export interface AccountState {
  readonly account: AccountId;
  readonly name?: string;
  /** When this was known. Older knowledge never replaces newer. */
  readonly at: EpochMillis;
  readonly verdict?: Health;
  readonly verifiedAt?: EpochMillis;
  readonly expiresAt?: EpochMillis;
  readonly renewAt?: EpochMillis;
  readonly critical?: boolean;
}

/** Traces the steps of a run. */
export interface Tracer extends AsyncDisposable {
  /**
   * Runs the work as a step within the current step, and returns or throws what the work does.
   * @param facts for searching traces; never secrets
   */
  step<T>(name: string, work: () => Promise<T>, facts?: Readonly<Record<string, string>>): Promise<T>;
}
