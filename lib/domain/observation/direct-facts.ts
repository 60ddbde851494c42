/** Facts about direct gets. */

/** The servers with a current replica of a stream, by whether they answer its direct gets. All should, because clients may ask any. */
export interface DirectGets {
  readonly heardOn: readonly string[];
  readonly deafOn: readonly string[];
  /**
   * Servers on which more connections subscribe to direct gets than there are streams to answer them. Remains of a stopped
   * replica receive a share of the requests and answer none. Absent if there are none.
   */
  readonly strayOn?: readonly string[];
}

/**
 * Whether a mirror's leader answers direct gets of its origin. `idle`: on no subject, like a new leader before its first
 * message. `broken`: on only one of two subjects, after an expiry; this never clears by itself.
 */
export type MirrorDirect = "answers" | "idle" | "broken";
