import type { AccountId } from "./account.ts";
import { type ClaimsDocument, parseAccountClaims } from "./claims.ts";
import type { JsonObject } from "./json.ts";
import { type MemoryAsset, readMemoryAssets } from "./memory.ts";
import { type Reconfiguration, readReconfiguration } from "./reconfiguration.ts";
import type { EpochMillis } from "./time.ts";

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

export const mayExpire = (kind: EntryKind): boolean =>
  (EXPIRING_KINDS as readonly EntryKind[]).includes(kind);

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
}

/** The account's last toggle, if it was opened and not closed; `entries` of one account, oldest first. */
export function openToggle(entries: readonly JournalEntry[]): OpenToggle | undefined {
  const last = entries.findLast(({ kind }) => kind === "toggle.opened" || kind === "toggle.closed");
  const claims = last?.kind === "toggle.opened" ? claimsOf(last) : undefined;
  return claims === undefined ? undefined : { claims, memory: readMemoryAssets(last?.data["memory"]) };
}

/** The reconfigurations that were opened and not closed; `entries` of one account, oldest first. */
export function openReconfigurations(entries: readonly JournalEntry[]): readonly Reconfiguration[] {
  const open = new Map<string, Reconfiguration>();
  for (const { kind, data } of entries) {
    const change = kind === "reconfigure.opened" ? readReconfiguration(data) : undefined;
    if (change !== undefined) open.set(change.stream, change);
    if (kind === "reconfigure.closed") open.delete(String(data["stream"]));
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

/** The last restart, if it was opened and not closed; `entries` of `-`, oldest first. */
export function openRestart(entries: readonly JournalEntry[]): OpenRestart | undefined {
  const last = entries.findLast(({ kind }) => kind === "restart.opened" || kind === "restart.closed");
  if (last?.kind !== "restart.opened") return undefined;
  const { server, for: account } = last.data;
  return { server: String(server), account: account as AccountId, job: last.job, at: last.at };
}

/** The job of the last rotation to the key `to`, if it died midway; `entries` of `-`, oldest first. */
export function openRotation(entries: readonly JournalEntry[], to: string): string | undefined {
  const last = entries.findLast(({ kind }) => kind === "rotation.started" || kind === "rotation.finished");
  return last?.kind === "rotation.started" && last.data["to"] === to ? last.job : undefined;
}

/** What was held in memory when the account was last healthy; `entries` oldest first. */
export function lastMemory(entries: readonly JournalEntry[]): readonly MemoryAsset[] {
  return readMemoryAssets(entries.findLast(({ kind }) => kind === "memory.seen")?.data["memory"]);
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
export function lastClaims(entries: readonly JournalEntry[]): ClaimsDocument | undefined {
  const last = entries.findLast(({ kind }) => kind === "claims.seen");
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

/** The fingerprint of the difference that was adopted last; `entries` oldest first. */
export function lastAdopted(entries: readonly JournalEntry[]): string | undefined {
  const fingerprint = entries.findLast(({ kind }) => kind === "source.adopted")?.data["fingerprint"];
  return typeof fingerprint === "string" ? fingerprint : undefined;
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
): ClaimsDocument | undefined {
  const about = entries.filter(
    ({ data, kind }) => kind.startsWith("incident.") && data["key"] === disagreement,
  );
  const resolved = about.findLastIndex(({ kind }) => kind === "incident.resolved");
  const opened = about[resolved + 1];
  const before = opened === undefined ? entries : entries.slice(0, entries.indexOf(opened));
  return lastClaims(before.filter((entry) => entry.job !== job && entry.job !== opened?.job));
}

function claimsOf({ data }: JournalEntry): ClaimsDocument | undefined {
  const parsed = parseAccountClaims(String(data["claims"]));
  return parsed.ok ? parsed.document : undefined;
}
