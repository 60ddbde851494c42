import type { AccountId } from "../claims/account.ts";
import { type ClaimsDocument, parseAccountClaims } from "../claims/claims.ts";
import { type MemoryAsset, readMemoryAssets } from "../ladder/memory.ts";
import type { JsonObject } from "../time/json.ts";
import type { EpochMillis } from "../time/time.ts";
import type { IsProved } from "./journal-proof.ts";

/**
 * Kinds of journal entries. The journal is append-only and is the audit log: claims without their signatures, JWT ids,
 * verdicts, remedies and their results. Never a seed, a JWT signature or a credential.
 */
export type EntryKind =
  /** A person ordered a job through the API. It may never begin. */
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
  /** Written before a toggle removes JetStream from an account; holds the claims to restore, and memory-only configurations. */
  | "toggle.opened"
  | "toggle.closed"
  /** Written before a temporary change of a stream's or its consumers' configurations; holds the originals. */
  | "reconfigure.opened"
  | "reconfigure.closed"
  /** Written for `-` before a server is restarted, and after it is back and everything works. */
  | "restart.opened"
  | "restart.closed"
  /** Memory-only streams and consumers at a healthy verdict: once lost, no server reports them. */
  | "memory.seen"
  /** Written for `-`: accounts are signed with another operator key, one after the other. */
  | "rotation.started"
  | "rotation.account"
  | "rotation.finished"
  /** The secret store has the credentials of a new system user. */
  | "credentials.rotated"
  /** Somebody deleted the account. Until newer claims are in force, only a person may push it. */
  | "account.deleted"
  /** A person marked the deleted account as gone for good. It is not shown or swept until it is in force again. */
  | "account.forgotten"
  /** The streams at a healthy verdict and the servers that held them. Servers do not report a deleted account's. */
  | "streams.seen"
  /** The servers that run claims with tiers, and their ids, whatever the verdict. */
  | "tiers.seen"
  /** A difference between the source of truth and the cluster that the policy adopted; ignored until either changes. */
  | "source.adopted"
  /** Something was missing after a remedy. A finding until it is back or a person acknowledges the loss. */
  | "loss.found"
  | "loss.acknowledged"
  | "incident.opened"
  | "incident.resolved";

/**
 * Kinds that no later run needs: they only inform people. All other kinds are kept forever. The result of an account's
 * newest job is stored separately.
 */
export const EXPIRING_KINDS = [
  ...(["job.started", "job.finished", "verdict"] as const),
  ...(["gate.refused", "rung.started", "rung.finished"] as const),
] as const satisfies readonly EntryKind[];

/** Kinds that a check needs from earlier runs (usecases/observe/look.ts). A journal can read them all at once. */
export const REMEMBERED: readonly EntryKind[] = [
  ...(["toggle.opened", "toggle.closed"] as const),
  ...(["reconfigure.opened", "reconfigure.closed", "memory.seen", "source.adopted"] as const),
  ...(["loss.found", "loss.acknowledged"] as const),
  ...(["account.deleted", "push.proved", "tiers.seen"] as const),
];

export const mayExpire = (kind: EntryKind): boolean => (EXPIRING_KINDS as readonly EntryKind[]).includes(kind);

/**
 * Whether a later run acts on such an entry: signs its claims, changes the cluster, or omits something because of it.
 * These entries carry a proof (docs/decisions/0020), because anybody who can write to the journal could act through them.
 * The others only inform people, or make a run check or page once more.
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
  // A forged entry makes a run refuse and page, or hides a deleted account. It causes no push.
  "account.deleted": false,
  "account.forgotten": false,
  "streams.seen": false,
  // A forged entry hides or creates a finding. It changes nothing in the cluster.
  "tiers.seen": false,
  "loss.found": false,
  "loss.acknowledged": false,
  "incident.opened": false,
  "incident.resolved": false,
};

export interface JournalEntry {
  readonly at: EpochMillis;
  /** Shared by all entries and log lines of one job. */
  readonly job: string;
  /** The account, or `-` for the whole cluster. */
  readonly account: AccountId | "-";
  readonly kind: EntryKind;
  readonly data: JsonObject;
}

/** The memory-only streams and consumers when the account was last healthy. */
export function lastMemory(entries: readonly JournalEntry[], isProved: IsProved): readonly MemoryAsset[] {
  return readMemoryAssets(newest(entries, "memory.seen", isProved)?.data["memory"]);
}

/** Keys of the open incidents; `entries` oldest first. */
export function openIncidents(entries: readonly JournalEntry[]): readonly string[] {
  const open = new Set<string>();
  for (const { kind, data } of entries) {
    if (kind === "incident.opened") open.add(String(data["key"]));
    if (kind === "incident.resolved") open.delete(String(data["key"]));
  }
  return [...open];
}

/** The last claims in force. After an expiry a full resolver deletes the JWT, and only these remain. */
export function lastClaims(entries: readonly JournalEntry[], isProved: IsProved): ClaimsDocument | undefined {
  const last = newest(entries, "claims.seen", isProved);
  return last === undefined ? undefined : claimsOf(last);
}

/** Kinds that show that an account existed. A job alone does not: somebody may have asked for an unknown account. */
export const MAKES_KNOWN = [
  ...(["claims.seen", "account.deleted", "account.forgotten"] as const),
] as const satisfies readonly EntryKind[];

export const makesKnown = (kind: EntryKind): boolean => (MAKES_KNOWN as readonly EntryKind[]).includes(kind);

/** The account's name in an entry `claims.seen`; empty if the claims have none. */
export function nameSeen({ name, claims }: JsonObject): string {
  // Older entries have no name, so parse the claims. For all of a hundred thousand accounts that takes seconds.
  if (typeof name === "string") return name;
  const parsed = parseAccountClaims(String(claims));
  return parsed.ok ? (parsed.document.claims.name ?? "") : "";
}

/** Accepts every entry: for reports, which neither sign nor change anything. */
export const EVEN_UNPROVED: IsProved = () => true;

/** The fingerprint of the last adopted difference. */
export function lastAdopted(entries: readonly JournalEntry[], isProved: IsProved): string | undefined {
  const fingerprint = newest(entries, "source.adopted", isProved)?.data["fingerprint"];
  return typeof fingerprint === "string" ? fingerprint : undefined;
}

/** The newest entry by its signed time, because a copy of an old entry may come last. Of equal ones the last. */
export function newest(entries: readonly JournalEntry[], of: EntryKind, isProved: IsProved): JournalEntry | undefined {
  const candidates = entries
    .map((entry, index) => ({ entry, index }))
    .filter(({ entry }) => entry.kind === of)
    .sort((one, other) => other.entry.at - one.entry.at || other.index - one.index);
  return candidates.find(({ entry }) => isProved(entry))?.entry;
}

/**
 * The journal's claims before the job `job`, as a reading independent of that job. While the incident `disagreement` is
 * open, the claims from before it, because seeing a difference twice does not make it right.
 * `entries` of one account, oldest first.
 */
export function claimsKnownBefore(
  entries: readonly JournalEntry[],
  job: string,
  disagreement: string,
  isProved: IsProved,
): ClaimsDocument | undefined {
  const about = entries.filter(({ data, kind }) => kind.startsWith("incident.") && data["key"] === disagreement);
  const resolved = about.findLastIndex(({ kind }) => kind === "incident.resolved");
  const opened = about[resolved + 1];
  const before = opened === undefined ? entries : entries.slice(0, entries.indexOf(opened));
  return lastClaims(
    before.filter((entry) => entry.job !== job && entry.job !== opened?.job),
    isProved,
  );
}

/** The claims in an entry that has some; undefined if they cannot be read. */
export function claimsOf({ data }: JournalEntry): ClaimsDocument | undefined {
  const parsed = parseAccountClaims(String(data["claims"]));
  return parsed.ok ? parsed.document : undefined;
}
