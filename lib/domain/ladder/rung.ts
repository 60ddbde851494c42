import type { ClaimsDocument } from "../claims/claims.ts";
import type { Observation } from "../observation/observation.ts";
import type { Verdict } from "../verdict/verdict.ts";
import type { MemoryAsset } from "./memory.ts";

export type RungId =
  | "push-again"
  | "restore-consumers"
  | "step-down-leaders"
  | "scale-up"
  | "toggle-direct-gets"
  | "touch-metadata"
  | "enter-tiers"
  | "toggle-jetstream"
  | "restart-servers";

/** Everything that a rung's decision depends on. */
export interface Situation {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** The claims in force, for rungs that push. */
  readonly claims: ClaimsDocument | undefined;
  /** Whether Relight has a key to sign with. */
  readonly canSign: boolean;
  /** Whether Relight has a key of the account, with which it can change its streams. */
  readonly hasAccountKey: boolean;
  readonly allowMemoryLoss: boolean;
  /** Whether Relight has a way to restart servers. */
  readonly canRestart: boolean;
  /** The reason, if a restarter is configured but must not be used. */
  readonly whyNoRestart?: string;
  /** The streams and consumers in memory when the account was last healthy. */
  readonly memorySeen: readonly MemoryAsset[];
}

/** One remedy: what it helps against, its requirements, its risk, and how to undo it. */
export interface Rung {
  readonly id: RungId;
  readonly title: string;
  readonly risk: string;
  readonly undo: string;
  /** The names of what it would treat; each is treated at most once with the same rung. */
  targets(situation: Situation): readonly string[];
  /** Why it would help; undefined if it would not. */
  helps(situation: Situation): string | undefined;
  /** Why it must not be carried out; undefined if it may. */
  forbids(situation: Situation): string | undefined;
}

/** The result of one rung. `no_effect`: it was carried out, but the next verdict was no better. */
export interface RungReport {
  readonly rung: RungId | "renew" | "finish-toggle" | "finish-changes" | "reconcile";
  readonly target: string;
  readonly result: "helped" | "no_effect" | "failed" | "refused";
  readonly why: string;
  /** The job that began it, if that crashed and this job determined the result. */
  readonly begunBy?: string;
}
