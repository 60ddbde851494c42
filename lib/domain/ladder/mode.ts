/** What Relight may change, from nothing to everything; each allows what those before it allow. */
export const MODES = ["look", "renew", "heal", "heal-with-loss"] as const;
export type Mode = (typeof MODES)[number];

/** What the configuration may say; whether a remedy may lose something is said per account (`allowMemoryLoss`). */
export const CONFIGURED_MODES = ["look", "renew", "heal"] as const;

/** The mode of a run, of which everything that may be changed follows, and where it comes from. */
export interface RunMode {
  readonly mode: Mode;
  /** After "because"; for people. */
  readonly because: string;
  /** Nothing is to be left behind: neither in the cluster nor in the journal, and nobody is called. */
  readonly dryRun: boolean;
}

export interface ModeSettings {
  readonly dryRun: boolean;
  readonly readOnly: boolean;
  readonly configured: (typeof CONFIGURED_MODES)[number] | undefined;
  /** Whether there is an operator key to sign with. */
  readonly canSign: boolean;
}

/** The first that says something counts. Without the operator's key and without a word Relight only looks. */
export function modeOf({ dryRun, readOnly, configured, canSign }: ModeSettings): RunMode {
  if (dryRun) return { mode: "look", because: "it was asked for with --dry-run", dryRun };
  if (readOnly) return { mode: "look", because: "the configuration says readOnly: true", dryRun };
  if (configured !== undefined)
    return { mode: configured, because: `the configuration says mode: ${configured}`, dryRun };
  if (!canSign) return { mode: "look", because: "operator.signingKey is not configured", dryRun };
  return { mode: "heal", because: "operator.signingKey is configured", dryRun };
}

export const allows = (mode: Mode, needed: Mode): boolean => MODES.indexOf(mode) >= MODES.indexOf(needed);

/** The mode for one account: only what may heal at all may lose something. */
export function withLoss(mode: RunMode, allowMemoryLoss: boolean): RunMode {
  return mode.mode === "heal" && allowMemoryLoss ? { ...mode, mode: "heal-with-loss" } : mode;
}

const SENTENCES: Readonly<Record<Mode, string>> = {
  look: "Relight only looks",
  renew: "Relight renews and pushes claims, and does nothing else",
  heal: "Relight renews, and heals where nothing is lost",
  "heal-with-loss": "Relight renews, and heals, though what is held in memory be lost",
};

/** A sentence without its full stop: "Relight only looks, because operator.signingKey is not configured". */
export function describeMode({ mode, because }: Pick<RunMode, "mode" | "because">): string {
  return `${SENTENCES[mode]}, because ${because}`;
}

/** Why something was left, and what it was; after "Relight" or by itself. */
export function whyLeft({ mode, because }: RunMode, would: readonly string[]): string {
  const why = `${mode === "look" ? "looked only" : "stopped there"}, because ${because}`;
  return would.length === 0 ? why : `${why}; it would ${would.join(", then ")}`;
}

/** What `--json` and pages have of it. */
export const modeJson = ({ mode, because }: RunMode): { readonly mode: Mode; readonly because: string } => ({
  mode,
  because,
});
