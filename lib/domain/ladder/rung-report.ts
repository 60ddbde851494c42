import type { RungId } from "./rung.ts";

/** What became of one rung. `no_effect`: it was done, and the next verdict was no better. */
export interface RungReport {
  readonly rung: RungId | "renew" | "finish-toggle" | "finish-changes" | "reconcile";
  readonly target: string;
  readonly result: "helped" | "no_effect" | "failed" | "refused";
  readonly why: string;
  /** The job that began it, if that died and this one found what came of it. */
  readonly begunBy?: string;
}
