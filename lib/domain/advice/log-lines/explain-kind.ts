/** Whether to do something: nothing, look into it, or act now. */
export type Worry = "none" | "look" | "act";

/** One kind of log line. */
export interface LogKind {
  readonly id: string;
  /** What the server writes, as in its source: `%q` is a quoted word, `%s` and the rest any text. */
  readonly texts: readonly string[];
  /** A further demand on the line, where the text alone says too little. */
  readonly only?: RegExp;
  /** The versions whose binaries hold every one of `texts`, of those that were looked at (a test looks again). */
  readonly versions: readonly string[];
  readonly title: string;
  readonly meaning: string;
  readonly worry: Worry;
  readonly advice: string;
}

export const ALL = ["2.9.10", "2.10.27", "2.15.1"] as const;
export const SINCE_2_10 = ["2.10.27", "2.15.1"] as const;
