/** What Relight may change, from nothing to everything. Each mode includes the ones before it. */
export const MODES = ["look", "renew", "heal", "heal-with-loss"] as const;
export type Mode = (typeof MODES)[number];

/** The configurable modes. Whether a remedy may lose data is set per account (`allowMemoryLoss`). */
export const CONFIGURED_MODES = ["look", "renew", "heal"] as const;

/** The mode of a run, and where it comes from. */
export interface RunMode {
  readonly mode: Mode;
  /** The reason, to follow "because"; for people. */
  readonly because: string;
  /** Write nothing, not even to the journal or an external queue, and page nobody. */
  readonly dryRun: boolean;
}

export interface ModeSettings {
  readonly dryRun: boolean;
  readonly readOnly: boolean;
  readonly configured: (typeof CONFIGURED_MODES)[number] | undefined;
  /** Whether there is an operator key to sign with. */
  readonly canSign: boolean;
}

/** The first setting that is given decides. Without any, and without an operator key, the mode is `look`. */
export function modeOf({ dryRun, readOnly, configured, canSign }: ModeSettings): RunMode {
  if (dryRun) return { mode: "look", because: "--dry-run was given", dryRun };
  if (readOnly) return { mode: "look", because: "the configuration says readOnly: true", dryRun };
  if (configured !== undefined)
    return { mode: configured, because: `the configuration says mode: ${configured}`, dryRun };
  if (!canSign) return { mode: "look", because: "operator.signingKey is not configured", dryRun };
  return { mode: "heal", because: "operator.signingKey is configured", dryRun };
}

export const allows = (mode: Mode, needed: Mode): boolean => MODES.indexOf(mode) >= MODES.indexOf(needed);

/** The mode for one account: `allowMemoryLoss` applies only if the mode is `heal`. */
export function withLoss(mode: RunMode, allowMemoryLoss: boolean): RunMode {
  return mode.mode === "heal" && allowMemoryLoss ? { ...mode, mode: "heal-with-loss" } : mode;
}

const SENTENCES: Readonly<Record<Mode, string>> = {
  look: "Relight changes nothing",
  renew: "Relight only renews and pushes claims",
  heal: "Relight renews, and heals without data loss",
  "heal-with-loss": "Relight renews, and heals even if data in memory is lost",
};

/** A sentence without its full stop: "Relight changes nothing, because operator.signingKey is not configured". */
export function describeMode({ mode, because }: Pick<RunMode, "mode" | "because">): string {
  return `${SENTENCES[mode]}, because ${because}`;
}

/** Why Relight did not do something, and what; follows "Relight" or stands alone. */
export function whyLeft({ mode, because }: RunMode, would: readonly string[]): string {
  const why = `${mode === "look" ? "changed nothing" : "did nothing more"}, because ${because}`;
  return would.length === 0 ? why : `${why}; it would ${would.join(", then ")}`;
}

/** The mode in `--json` and pages. */
export const modeJson = ({ mode, because }: RunMode): { readonly mode: Mode; readonly because: string } => ({
  mode,
  because,
});
