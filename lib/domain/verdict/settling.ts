import { BELIEVED_AFTER, isOfAsset } from "../observation/agreement.ts";
import { type Millis, millis } from "../time/time.ts";
import { type FindingCode, isRevived, type Verdict } from "./verdict.ts";

/** Leafnodes bind again within seconds, copies follow within ten to fifteen (ran: 2.9.10, 2.10.27, 2.15.1). */
const CONNECTIONS = millis(30_000);
/** A replica looks every two seconds whether it has all messages, and then answers direct gets (ran on the same). */
const CATCHING_UP = millis(10_000);

const CATCHES_UP: ReadonlySet<FindingCode> = new Set([
  // A replica that goes may show for a moment beside one that comes.
  "stream.direct_stray",
  ...(["stream.direct_partly_deaf", "stream.replica_behind", "consumer.replica_behind"] as const),
  // Servers elect another leader four to nine seconds after theirs went silent.
  ...(["stream.no_leader", "consumer.no_leader"] as const),
]);

/** Servers tell each other what they store every one and a half seconds (`usageTick`). */
const COUNTING = millis(5_000);

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
export function patienceWith({ verdict, findings }: Verdict): Millis | undefined {
  if (findings.some(({ code }) => code === "account.expired")) return undefined;
  // What the journal says is the same at the next look.
  const dead = findings.filter(({ health, code }) => health === "dead" && code !== "asset.lost");
  if (dead.length > 0 && dead.every(({ code }) => code === "limit.outside_tiers")) return COUNTING;
  if (dead.some(({ code }) => !MEND_THEMSELVES.has(code))) return BELIEVED_AFTER;
  if (findings.some(({ code }) => MEND_THEMSELVES.has(code))) return CONNECTIONS;
  if (findings.some(({ code }) => CATCHES_UP.has(code))) return CATCHING_UP;
  // What is being made or deleted is over sooner; one look proves nothing of it.
  if (findings.some(isOfAsset)) return BELIEVED_AFTER;
  // A client, or Relight's own last look, may just be leaving.
  if (findings.some(({ code }) => code === "limit.connections")) return BELIEVED_AFTER;
  return verdict === "dead" && !isRevived({ findings }) ? BELIEVED_AFTER : undefined;
}
