import type { RungId } from "./rung.ts";

/** The result of one rung. `no_effect`: it was carried out, but the next verdict was no better. */
export interface RungReport {
  readonly rung: RungId | "renew" | "finish-toggle" | "finish-changes" | "reconcile";
  readonly target: string;
  readonly result: "helped" | "no_effect" | "failed" | "refused";
  readonly why: string;
  /** The job that began it, if that crashed and this job determined the result. */
  readonly begunBy?: string;
}
