import type { AccountId } from "../claims/account.ts";
import { type ClaimsDocument, parseAccountClaims } from "../claims/claims.ts";
import { type MemoryAsset, readMemoryAssets } from "../ladder/memory.ts";
import { type Reconfiguration, readReconfiguration } from "../ladder/reconfiguration.ts";
import type { JsonObject } from "../time/json.ts";
import type { EpochMillis } from "../time/time.ts";
import { type IsProved, provedOnce, statementOf } from "./journal-proof.ts";

/**
 * What the journal can say. It is append-only and is the audit log: claims without their signatures,
 * JWT ids, verdicts, what was tried and what came of it. Never a seed, a signature or a credential.
 */
export type EntryKind =
  /** A person ordered a job over the API; it may never begin. */
  | "job.requested"
  | "job.started"
  | "job.finished"
  | "claims.seen"
  | "verdict"
  | "gate.refused"
  | "push.started"
  | "push.proved"
  | "rung.started"
  | "rung.finished"
  /** Written before JetStream is taken from an account; holds the claims that give it back, and what is in memory. */
  | "toggle.opened"
  | "toggle.closed"
  /** Written before a stream's or its consumers' configurations are changed for a while; holds what they are to be again. */
  | "reconfigure.opened"
  | "reconfigure.closed"
  /** Written on `-` before a server is restarted, and when it is back and everything whole. */
  | "restart.opened"
  | "restart.closed"
  /** What was held in memory at a healthy verdict: where no server holds it any more, no server tells of it. */
  | "memory.seen"
  /** Written on `-`: accounts are signed anew with another key of the operator's, one after the other. */
  | "rotation.started"
  | "rotation.account"
  | "rotation.finished"
  /** The system user's credentials in the secret store are those of a new user. */
  | "credentials.rotated"
  /** Somebody deleted the account, as it was heard or seen; until newer claims are in force nobody but a person pushes it. */
  | "account.deleted"
  /** A person said that the deleted account is gone for good: it is shown and swept no more until it is seen in force. */
  | "account.forgotten"
  /** The streams at a good verdict and the servers that held them: nobody tells of a deleted account's. */
  | "streams.seen"
  /** A difference between the source of truth and the cluster that policy adopted; silent until either changes. */
  | "source.adopted"
  /** After a remedy something was missing; a finding until a person acknowledges it, or until it is back. */
  | "loss.found"
  | "loss.acknowledged"
  | "incident.opened"
  | "incident.resolved";

/**
 * What no later run needs: it tells people what was done. All other kinds are a memory, and are kept for ever; how
 * an account's newest job ended is known without these entries.
 */
export const EXPIRING_KINDS = [
  ...(["job.started", "job.finished", "verdict"] as const),
  ...(["gate.refused", "push.proved", "rung.started", "rung.finished"] as const),
] as const satisfies readonly EntryKind[];

/** All that a look needs to know of before (usecases/look.ts); a journal may have one read find all of it. */
export const REMEMBERED: readonly EntryKind[] = [
  ...(["toggle.opened", "toggle.closed"] as const),
  ...(["reconfigure.opened", "reconfigure.closed", "memory.seen", "source.adopted"] as const),
  ...(["loss.found", "loss.acknowledged"] as const),
  "account.deleted",
];

export const mayExpire = (kind: EntryKind): boolean =>
  (EXPIRING_KINDS as readonly EntryKind[]).includes(kind);

/**
 * Whether a later run acts on what such an entry says: signs it, changes the cluster by it, or leaves something
 * undone. Whoever can write to the journal could then act through Relight, so these entries carry a proof
 * (docs/decisions/0020); all others only tell people what was done, or make a run look once more or page.
 */
export const ACTED_ON: Readonly<Record<EntryKind, boolean>> = {
  "job.requested": false,
  "job.started": false,
  "job.finished": false,
  "claims.seen": true,
  verdict: false,
  "gate.refused": false,
  "push.started": false,
  "push.proved": false,
  "rung.started": false,
  "rung.finished": false,
  "toggle.opened": true,
  "toggle.closed": true,
  "reconfigure.opened": true,
  "reconfigure.closed": true,
  "restart.opened": true,
  "restart.closed": true,
  "memory.seen": true,
  "rotation.started": false,
  "rotation.account": false,
  "rotation.finished": false,
  "credentials.rotated": false,
  "source.adopted": true,
  // A planted one makes a run refuse and page, or leaves a gone account unlisted; nothing is pushed by it.
  "account.deleted": false,
  "account.forgotten": false,
  "streams.seen": false,
  // A planted one hides a finding or makes one; it changes nothing in the cluster.
  "loss.found": false,
  "loss.acknowledged": false,
  "incident.opened": false,
  "incident.resolved": false,
};

export interface JournalEntry {
  readonly at: EpochMillis;
  /** Ties together all that one job did; also the correlation id of its log lines. */
  readonly job: string;
  /** The account, or `-` for what concerns the whole cluster. */
  readonly account: AccountId | "-";
  readonly kind: EntryKind;
  readonly data: JsonObject;
}

/** What an unfinished toggle must give back. */
export interface OpenToggle {
  readonly claims: ClaimsDocument;
  readonly memory: readonly MemoryAsset[];
  /** The id of the JWT without JetStream that the toggle pushed, or was about to. */
  readonly off?: string;
}

/** The account's last toggle, if it was opened and not closed; `entries` of one account, oldest first. */
export function openToggle(entries: readonly JournalEntry[], isProved: IsProved): OpenToggle | undefined {
  const toggles = entries.filter(({ kind }) => kind === "toggle.opened" || kind === "toggle.closed");
  const last = provedOnce(toggles, isProved).at(-1);
  const claims = last?.kind === "toggle.opened" ? claimsOf(last) : undefined;
  if (last === undefined || claims === undefined) return undefined;
  const { memory, off } = last.data;
  return { claims, memory: readMemoryAssets(memory), ...(typeof off === "string" ? { off } : {}) };
}

/** The reconfigurations that were opened and not closed; `entries` of one account, oldest first. */
export function openReconfigurations(
  entries: readonly JournalEntry[],
  isProved: IsProved,
): readonly Reconfiguration[] {
  const open = new Map<string, Reconfiguration>();
  const about = entries.filter(({ kind }) => kind.startsWith("reconfigure."));
  for (const { kind, data } of provedOnce(about, isProved)) {
    const change = kind === "reconfigure.opened" ? readReconfiguration(data) : undefined;
    if (change !== undefined) open.set(change.stream, change);
    if (kind === "reconfigure.closed") open.delete(String(data["stream"]));
  }
  return [...open.values()];
}

/**
 * What was opened, and not closed by anybody, in entries that are not proved: nothing is done about it but to tell a
 * person. `entries` of one account, oldest first.
 */
export function unprovedOpenings(
  entries: readonly JournalEntry[],
  isProved: IsProved,
): readonly JournalEntry[] {
  const open = new Map<string, JournalEntry>();
  for (const entry of entries) {
    const [what, step] = entry.kind.split(".");
    if (what !== "toggle" && what !== "reconfigure") continue;
    const key = `${what} ${String(entry.data["stream"])}`;
    if (step === "closed") open.delete(key);
    else if (!isProved(entry)) open.set(key, entry);
  }
  return [...open.values()];
}

/** A restart of a server that was begun, and not seen to end well. */
export interface OpenRestart {
  readonly server: string;
  /** The account that it was to revive. */
  readonly account: AccountId;
  readonly job: string;
  readonly at: EpochMillis;
}

/**
 * The last restart, if it was opened and not closed; `entries` of `-`, oldest first. One that is not proved holds
 * further restarts up all the same, but does not let them go on after one that is.
 */
export function openRestart(entries: readonly JournalEntry[], isProved: IsProved): OpenRestart | undefined {
  let open: JournalEntry | undefined;
  const known = new Set<string>();
  for (const entry of entries) {
    const proved = isProved(entry);
    if (proved && known.size === known.add(statementOf(entry)).size) continue;
    const holdsUp = open !== undefined && isProved(open);
    if (entry.kind.startsWith("restart.") && (proved || !holdsUp))
      open = entry.kind === "restart.opened" ? entry : undefined;
  }
  if (open === undefined) return undefined;
  const { server, for: account } = open.data;
  return { server: String(server), account: account as AccountId, job: open.job, at: open.at };
}

/**
 * The job of the last rotation to the key `to`, if it died midway; `entries` of `-`, oldest first. It is told, and
 * nothing is done by it: what is left to rotate is what still bears the old key's signature.
 */
export function openRotation(entries: readonly JournalEntry[], to: string): string | undefined {
  const last = entries.findLast(({ kind }) => kind === "rotation.started" || kind === "rotation.finished");
  return last?.kind === "rotation.started" && last.data["to"] === to ? last.job : undefined;
}

/** What was held in memory when the account was last healthy. */
export function lastMemory(entries: readonly JournalEntry[], isProved: IsProved): readonly MemoryAsset[] {
  return readMemoryAssets(newest(entries, "memory.seen", isProved)?.data["memory"]);
}

/** Keys of the incidents that were opened and not resolved; `entries` oldest first. */
export function openIncidents(entries: readonly JournalEntry[]): readonly string[] {
  const open = new Set<string>();
  for (const { kind, data } of entries) {
    if (kind === "incident.opened") open.add(String(data["key"]));
    if (kind === "incident.resolved") open.delete(String(data["key"]));
  }
  return [...open];
}

/** The claims last seen in force; what remains of an account that a full resolver deleted after expiry. */
export function lastClaims(entries: readonly JournalEntry[], isProved: IsProved): ClaimsDocument | undefined {
  const last = newest(entries, "claims.seen", isProved);
  return last === undefined ? undefined : claimsOf(last);
}

/** What makes an account one that the journal knows: it was there once. That somebody asked about it does not. */
export const MAKES_KNOWN = [
  ...(["claims.seen", "account.deleted", "account.forgotten"] as const),
] as const satisfies readonly EntryKind[];

export const makesKnown = (kind: EntryKind): boolean => (MAKES_KNOWN as readonly EntryKind[]).includes(kind);

/** The account's name in an entry `claims.seen`; empty where the claims have none. */
export function nameSeen({ name, claims }: JsonObject): string {
  // Entries of before had no name of their own; to parse all claims of a hundred thousand accounts takes seconds.
  if (typeof name === "string") return name;
  const parsed = parseAccountClaims(String(claims));
  return parsed.ok ? (parsed.document.claims.name ?? "") : "";
}

/** For what only tells or foretells, and neither signs nor changes anything. */
export const TOLD_ONLY: IsProved = () => true;

/** The fingerprint of the difference that was adopted last. */
export function lastAdopted(entries: readonly JournalEntry[], isProved: IsProved): string | undefined {
  const fingerprint = newest(entries, "source.adopted", isProved)?.data["fingerprint"];
  return typeof fingerprint === "string" ? fingerprint : undefined;
}

/** By the time that the proof signs: an old entry that is put behind newer ones stays old. The last of equal ones. */
export function newest(
  entries: readonly JournalEntry[],
  of: EntryKind,
  isProved: IsProved,
): JournalEntry | undefined {
  const candidates = entries
    .map((entry, index) => ({ entry, index }))
    .filter(({ entry }) => entry.kind === of)
    .sort((one, other) => other.entry.at - one.entry.at || other.index - one.index);
  return candidates.find(({ entry }) => isProved(entry))?.entry;
}

/**
 * The claims that the journal knew before job `job`, as a reading independent of what that job saw: while the
 * incident `disagreement` is open, those from before it, since a difference does not become right by being seen twice.
 * `entries` of one account, oldest first.
 */
export function claimsKnownBefore(
  entries: readonly JournalEntry[],
  job: string,
  disagreement: string,
  isProved: IsProved,
): ClaimsDocument | undefined {
  const about = entries.filter(
    ({ data, kind }) => kind.startsWith("incident.") && data["key"] === disagreement,
  );
  const resolved = about.findLastIndex(({ kind }) => kind === "incident.resolved");
  const opened = about[resolved + 1];
  const before = opened === undefined ? entries : entries.slice(0, entries.indexOf(opened));
  return lastClaims(
    before.filter((entry) => entry.job !== job && entry.job !== opened?.job),
    isProved,
  );
}

function claimsOf({ data }: JournalEntry): ClaimsDocument | undefined {
  const parsed = parseAccountClaims(String(data["claims"]));
  return parsed.ok ? parsed.document : undefined;
}
