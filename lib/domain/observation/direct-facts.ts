/** What looks tell of direct gets. */

/**
 * The servers with a current replica of a stream, by whether they answer its direct gets. All of them should: any of
 * them may be asked.
 */
export interface DirectGets {
  readonly heardOn: readonly string[];
  readonly deafOn: readonly string[];
  /**
   * The servers, whether they have a replica or not, on which more connections take direct gets than there are streams to
   * answer them: what is left of a replica that was stopped there takes its share, and answers none. Absent: no such.
   */
  readonly strayOn?: readonly string[];
}

/**
 * Whether a mirror's leader answers direct gets of its origin. `idle`: not on any subject, as a new leader until it takes
 * a message. `broken`: on one of its two subjects only, which comes of an expired account and mends itself never.
 */
export type MirrorDirect = "answers" | "idle" | "broken";
