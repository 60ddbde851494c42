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

/** All that a rung looks at. */
export interface Situation {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** The claims in force, which every rung pushes anew. */
  readonly claims: ClaimsDocument | undefined;
  /** Whether Relight has a key to sign with. */
  readonly canSign: boolean;
  /** Whether Relight has a key of the account's, with which it can ask as the account for more than a look. */
  readonly hasAccountKey: boolean;
  readonly allowMemoryLoss: boolean;
  /** Whether Relight has a way to restart servers. */
  readonly canRestart: boolean;
  /** Why not, if it is not that none is configured. */
  readonly whyNoRestart?: string;
  /** What was held in memory when the account was last healthy. */
  readonly memorySeen: readonly MemoryAsset[];
}

/** One remedy: what it is for, what must be true, what it risks, how it is undone. */
export interface Rung {
  readonly id: RungId;
  readonly title: string;
  readonly risk: string;
  readonly undo: string;
  /** What it would treat, by name; nothing is treated twice with the same rung. */
  targets(situation: Situation): readonly string[];
  /** Why it would help here; undefined where it can't. */
  helps(situation: Situation): string | undefined;
  /** Why it must not be done here; undefined where it may. */
  forbids(situation: Situation): string | undefined;
}
