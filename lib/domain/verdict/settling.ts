import { isOfAsset } from "../observation/agreement.ts";
import type { Millis } from "../time/time.ts";
import { type FindingCode, isRevived, type Verdict } from "./verdict.ts";

/** How long to look again at what a first look found. */
export interface Patience {
  /** How long what is made, deleted or elected may look like a fault. */
  readonly believedAfter: Millis;
  /** Until servers have told each other what they store. */
  readonly countsWithin: Millis;
  /** Until a replica has all messages, and a group another leader. */
  readonly catchesUpWithin: Millis;
  /** Until leafnodes and copies have found what they are connected to. */
  readonly reconnectsWithin: Millis;
}

const CATCHES_UP: ReadonlySet<FindingCode> = new Set([
  // A replica that goes may show for a moment beside one that comes.
  "stream.direct_stray",
  ...(["stream.direct_partly_deaf", "stream.replica_behind", "consumer.replica_behind"] as const),
  ...(["stream.no_leader", "consumer.no_leader"] as const),
]);

const MEND_THEMSELVES: ReadonlySet<FindingCode> = new Set([
  "stream.stalled",
  // Some versions set a mirror back by themselves, when it next tries (2.10.27).
  "stream.ahead_of_origin",
  "domain.silent",
  "leaf.missing",
]);

/** Whether all that was found mends itself, once what broke it is mended. */
export function mendsItself({ findings }: Verdict): boolean {
  return findings.length > 0 && findings.every(({ code }) => MEND_THEMSELVES.has(code));
}

/**
 * How long to look again before a verdict is believed; undefined: at once. What mends itself, once what broke
 * it is mended, is waited for, unless something else is dead that it can't outlive.
 */
export function patienceWith({ verdict, findings }: Verdict, patience: Patience): Millis | undefined {
  const { believedAfter } = patience;
  if (findings.some(({ code }) => code === "account.expired")) return undefined;
  // What the journal says is the same at the next look.
  const dead = findings.filter(({ health, code }) => health === "dead" && code !== "asset.lost");
  if (dead.length > 0 && dead.every(({ code }) => code === "limit.outside_tiers"))
    return patience.countsWithin;
  if (dead.some(({ code }) => !MEND_THEMSELVES.has(code))) return believedAfter;
  if (findings.some(({ code }) => MEND_THEMSELVES.has(code))) return patience.reconnectsWithin;
  if (findings.some(({ code }) => CATCHES_UP.has(code))) return patience.catchesUpWithin;
  // What is being made or deleted is over sooner; one look proves nothing of it.
  if (findings.some(isOfAsset)) return believedAfter;
  // A client, or Relight's own last look, may just be leaving.
  if (findings.some(({ code }) => code === "limit.connections")) return believedAfter;
  return verdict === "dead" && !isRevived({ findings }) ? believedAfter : undefined;
}
