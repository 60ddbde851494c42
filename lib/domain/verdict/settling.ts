import { isOfAsset } from "../observation/agreement.ts";
import type { Millis } from "../time/time.ts";
import { type FindingCode, isRevived, type Verdict } from "./verdict.ts";

/** How long to keep checking what a first check found. */
export interface SettleTimes {
  /** How long a creation, deletion or election may look like a fault. */
  readonly confirmedAfter: Millis;
  /** How long servers take to exchange their storage usage. */
  readonly countsWithin: Millis;
  /** How long a replica may take to catch up, and a group to elect a leader. */
  readonly catchesUpWithin: Millis;
  /** How long leafnodes, mirrors and sources may take to reconnect. */
  readonly reconnectsWithin: Millis;
}

const CATCHES_UP: ReadonlySet<FindingCode> = new Set([
  // While a replica moves, the old and the new one may show together.
  "stream.direct_stray",
  ...(["stream.direct_partly_deaf", "stream.replica_behind", "consumer.replica_behind"] as const),
  "stream.replicas_differ",
  ...(["stream.no_leader", "consumer.no_leader"] as const),
]);

const CLEAR_THEMSELVES: ReadonlySet<FindingCode> = new Set([
  "stream.stalled",
  // 2.10.27 resets such a mirror at its next attempt.
  "stream.ahead_of_origin",
  "domain.silent",
  "leaf.missing",
]);

/** Whether all findings clear by themselves once their cause is gone. */
export function clearsItself({ findings }: Verdict): boolean {
  return findings.length > 0 && findings.every(({ code }) => CLEAR_THEMSELVES.has(code));
}

/**
 * How long to keep checking before the verdict counts; undefined if it counts at once. Relight waits for faults that clear
 * by themselves, unless something else is dead.
 */
export function settleTime({ health, findings }: Verdict, times: SettleTimes): Millis | undefined {
  const { confirmedAfter } = times;
  if (findings.some(({ code }) => code === "account.expired")) return undefined;
  // Findings from the journal do not change with another check.
  const dead = findings.filter(({ health, code }) => health === "dead" && code !== "asset.lost");
  if (dead.length > 0 && dead.every(({ code }) => code === "limit.outside_tiers")) return times.countsWithin;
  if (dead.some(({ code }) => !CLEAR_THEMSELVES.has(code))) return confirmedAfter;
  if (findings.some(({ code }) => CLEAR_THEMSELVES.has(code))) return times.reconnectsWithin;
  if (findings.some(({ code }) => CATCHES_UP.has(code))) return times.catchesUpWithin;
  // One check does not prove a fault: the stream or consumer may be being created or deleted.
  if (findings.some(isOfAsset)) return confirmedAfter;
  // A client, or Relight's own last connection, may just be closing.
  if (findings.some(({ code }) => code === "limit.connections")) return confirmedAfter;
  return health === "dead" && !isRevived({ findings }) ? confirmedAfter : undefined;
}
