import type { AccountId } from "../claims/account.ts";
import type { ClaimsDocument } from "../claims/claims.ts";
import { type MemoryAsset, readMemoryAssets } from "../ladder/memory.ts";
import { type Reconfiguration, readReconfiguration } from "../ladder/reconfiguration.ts";
import type { EpochMillis } from "../time/time.ts";
import { claimsOf, type JournalEntry } from "./journal.ts";
import { type IsProved, provedOnce, statementOf } from "./journal-proof.ts";

/** What an unfinished toggle must restore. */
export interface OpenToggle {
  readonly claims: ClaimsDocument;
  readonly memory: readonly MemoryAsset[];
  /** The id of the JWT without JetStream that the toggle pushed or was about to push. */
  readonly off?: string;
}

/** The account's last toggle if it is still open; `entries` of one account, oldest first. */
export function openToggle(entries: readonly JournalEntry[], isProved: IsProved): OpenToggle | undefined {
  const toggles = entries.filter(({ kind }) => kind === "toggle.opened" || kind === "toggle.closed");
  const last = provedOnce(toggles, isProved).at(-1);
  const claims = last?.kind === "toggle.opened" ? claimsOf(last) : undefined;
  if (last === undefined || claims === undefined) return undefined;
  const { memory, off } = last.data;
  return { claims, memory: readMemoryAssets(memory), ...(typeof off === "string" ? { off } : {}) };
}

/** The open reconfigurations; `entries` of one account, oldest first. */
export function openReconfigurations(entries: readonly JournalEntry[], isProved: IsProved): readonly Reconfiguration[] {
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
 * Open toggles and reconfigurations whose entries have no valid proof. Relight only reports them.
 * `entries` of one account, oldest first.
 */
export function unprovedOpenings(entries: readonly JournalEntry[], isProved: IsProved): readonly JournalEntry[] {
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

/** A server restart that began and did not end properly. */
export interface OpenRestart {
  readonly server: string;
  /** The account that it should revive. */
  readonly account: AccountId;
  readonly job: string;
  readonly at: EpochMillis;
}

/**
 * The last restart if it is still open; `entries` of `-`, oldest first. An unproved `restart.opened` also blocks further
 * restarts, but an unproved `restart.closed` does not unblock them.
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
 * The job of the last rotation to the key `to`, if it crashed; `entries` of `-`, oldest first. Only for display: the
 * accounts left to rotate are those that the old key still signs.
 */
export function openRotation(entries: readonly JournalEntry[], to: string): string | undefined {
  const last = entries.findLast(({ kind }) => kind === "rotation.started" || kind === "rotation.finished");
  return last?.kind === "rotation.started" && last.data["to"] === to ? last.job : undefined;
}
