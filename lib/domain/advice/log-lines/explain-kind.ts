/** How urgent a line is: do nothing, look into it, or act now. */
export type Worry = "none" | "look" | "act";

/** One kind of log line. */
export interface LogKind {
  readonly id: string;
  /** The server's text as in its source: `%q` is a quoted word, `%s` and the rest any text. */
  readonly texts: readonly string[];
  /** A further condition on the line, if the text alone is not specific enough. */
  readonly only?: RegExp;
  /** The checked versions whose binaries contain any of `texts`, each of which is in one (a test verifies this). */
  readonly versions: readonly string[];
  readonly title: string;
  readonly meaning: string;
  readonly worry: Worry;
  readonly advice: string;
}

export const ALL = ["2.9.25", "2.10.20", "2.10.27", "2.12.5", "2.15.2"] as const;
export const SINCE_2_10 = ["2.10.20", "2.10.27", "2.12.5", "2.15.2"] as const;
export const SINCE_2_10_27 = ["2.10.27", "2.12.5", "2.15.2"] as const;
export const SINCE_2_12 = ["2.12.5", "2.15.2"] as const;
