/** Facts about what clients read from the replicas of a stream. */

/** A replica that contradicts its leader. */
export interface DifferingReplica {
  readonly server: string;
  /** Its last sequence, and the leader's. */
  readonly lastSeq: number;
  readonly leaderSeq: number;
}

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
