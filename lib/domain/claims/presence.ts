import type { JournalEntry } from "../journal/journal.ts";
import { skewOf } from "../observation/clocks.ts";
import { awayFrom, describeAway } from "../observation/meta-group.ts";
import type { Observation, Probe, RunningAccount } from "../observation/observation.ts";
import { type EpochMillis, epochMillis, isCountable, isoTime, type Millis, toMillis } from "../time/time.ts";
import type { ClaimsDocument } from "./claims.ts";
import { type Loaded, loaded as loadedOn } from "./claims-in-force.ts";
import { isTrusted } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/**
 * Whether an account exists, and if not, why. An expired account is renewed; a deleted one is pushed again only if a
 * person asks for it.
 */
export type Presence =
  /** A server runs it or the resolver holds it. `kept`: although the operator ordered its deletion. */
  | { readonly state: "here"; readonly kept?: Kept }
  /** Its claims have expired. `forgotten`: the resolver has deleted them since, and no server has it loaded. */
  | { readonly state: "expired"; readonly at: EpochMillis; readonly forgotten: boolean }
  | ({ readonly state: "deleted" } & Deleted)
  /** It existed, its claims are still valid, and neither the servers nor the resolver have it: deleted or lost. */
  | { readonly state: "gone"; readonly claims: ClaimsDocument; readonly known: Deletion | undefined }
  /** It never existed. */
  | { readonly state: "never_here" }
  /** A server or the resolver did not answer. */
  | { readonly state: "unknown"; readonly why: string };

/** An account that servers did not delete although the operator ordered it. */
export interface Kept {
  readonly ordered: Deletion;
  /** The resolver, if it still holds it, and the servers that run it. */
  readonly by: readonly string[];
}

export interface Deleted {
  /** The servers that refuse its clients although its claims are valid. */
  readonly refusedBy: readonly string[];
  /**
   * Places that have the deleted JWT again. A server that was away during the deletion, or could not delete it, brings it
   * back, and the resolver copies it to the others (tested on 2.9.10, 2.10.27, 2.15.1).
   */
  readonly broughtBackBy: readonly string[];
  readonly known: Deletion | undefined;
}

/** A deletion in the journal. */
export interface Deletion {
  readonly at: EpochMillis;
  /**
   * `seen`: servers refused its clients while its claims were valid, or had obeyed a deletion request. `ordered`: `watch`
   * received a deletion request signed by the operator. `gone`: neither the servers nor the resolver had it any more while
   * its claims were valid.
   */
  readonly how: "seen" | "ordered" | "gone";
  /** The `iat` of the deleted JWT, or of the request; epoch seconds. Newer claims in force mean that the account is back. */
  readonly iat: number;
  readonly jti?: string;
}

/** The account's last deletion, with the strongest evidence for it; `entries` of one account, oldest first. */
export function lastDeletion(entries: readonly JournalEntry[]): Deletion | undefined {
  let last: Deletion | undefined;
  for (const entry of entries) {
    const next = entry.kind === "account.deleted" ? deletionOf(entry) : undefined;
    const isWeaker = next !== undefined && next.how !== "seen" && next.iat <= (last?.iat ?? -1);
    if (next !== undefined && !(isWeaker && last?.how === "seen")) last = next;
  }
  return last;
}

function deletionOf({ at, data: { how, iat, jti } }: JournalEntry): Deletion {
  return {
    at,
    how: how === "ordered" || how === "gone" ? how : "seen",
    iat: typeof iat === "number" ? iat : Math.floor(at / 1000),
    ...(typeof jti === "string" ? { jti } : {}),
  };
}

export interface PresenceFacts {
  /** The account on each server. */
  readonly running: Probe<readonly RunningAccount[]>;
  /** The resolver's claims if servers trust them; failed if there is no resolver. */
  readonly stored: Probe<ClaimsDocument | undefined>;
  /** The last claims in force according to the journal. */
  readonly lastSeen: ClaimsDocument | undefined;
  readonly deletion: Deletion | undefined;
  readonly now: EpochMillis;
  /** How far the fastest server's clock is ahead of ours. That server expires claims earlier by as much. */
  readonly ahead: Millis;
}

/** A server that reports "expired" this shortly before the expiry by our clock is right; milliseconds. */
const UNCERTAIN = 10_000;

/** Decides whether the account exists, and if not, why. */
export function presenceOf(facts: PresenceFacts): Presence {
  const { running: asked, stored, deletion } = facts;
  if (!asked.ok) return { state: "unknown", why: asked.message };
  const loaded = loadedOn({ running: asked });
  const refusing = loaded.filter((entry) => entry.expired && !hasEnded(entry.document, facts, UNCERTAIN));
  const held = stored.ok ? stored.value : undefined;
  const open = deletion !== undefined && !isNewer(facts.lastSeen, deletion.iat) ? deletion : undefined;
  const deletedIat = Math.max(
    open?.iat ?? Number.NEGATIVE_INFINITY,
    ...refusing.map(({ document }) => document.claims.iat),
  );
  const others = loaded.filter((entry) => !refusing.includes(entry));
  const isBack = isNewer(held, deletedIat) || others.some(({ document }) => isNewer(document, deletedIat));
  // Servers may ignore a deletion request.
  const isIgnored = open?.how === "ordered" && (held !== undefined || others.some(({ expired }) => !expired));
  // The account was only missing, and is back.
  const isFound = open?.how === "gone" && (held !== undefined || others.length > 0);
  const running = others.filter(({ expired }) => !expired).map(({ server }) => server);
  const havingIt = [...(held === undefined ? [] : ["the resolver"]), ...running];
  const counts = open !== undefined && !isIgnored && !isFound;
  if (counts && open?.how === "gone" && refusing.length === 0 && facts.lastSeen !== undefined)
    return { state: "gone", claims: facts.lastSeen, known: open };
  if (!isBack && (refusing.length > 0 || counts)) {
    return {
      state: "deleted",
      refusedBy: refusing.map(({ server }) => server),
      broughtBackBy: havingIt,
      known: open,
    };
  }
  const present = presentOf(facts, loaded, held);
  return present.state === "here" && isIgnored && !isBack
    ? { ...present, kept: { ordered: open, by: havingIt } }
    : present;
}

/**
 * From one observation and the journal. Nobody's having it proves a deletion only if every server was asked: one that is
 * away may be the only one that has it.
 */
export function presenceIn(
  { running, stored, at, servers, meta }: Pick<Observation, "running" | "stored" | "at" | "servers" | "meta">,
  operator: Operator,
  known: Pick<PresenceFacts, "lastSeen" | "deletion">,
): Presence {
  const held = stored.ok && stored.value !== undefined && isTrusted(stored.value, operator);
  const trusted = stored.ok ? ({ ok: true, value: held ? stored.value?.document : undefined } as const) : stored;
  const presence = presenceOf({ running, stored: trusted, now: at, ahead: skewOf(servers).ahead, ...known });
  if (presence.state !== "gone" || presence.known !== undefined || !meta.ok || meta.value === undefined)
    return presence;
  const away = describeAway(awayFrom(meta.value, new Set(servers.map(({ name }) => name))));
  return away === undefined ? presence : { state: "unknown", why: `${away}, which may have it` };
}

/** The presence if nothing indicates a deletion. */
function presentOf(facts: PresenceFacts, loaded: readonly Loaded[], held: ClaimsDocument | undefined): Presence {
  const newest = [...loaded.map(({ document }) => document), ...(held === undefined ? [] : [held])].reduce<
    ClaimsDocument | undefined
  >((best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best), undefined);
  if (newest !== undefined) {
    const isRefused = loaded.some((entry) => entry.expired && entry.document.text === newest.text);
    return hasEnded(newest, facts, isRefused ? UNCERTAIN : 0) ? expired(newest, false) : { state: "here" };
  }
  const { stored, lastSeen } = facts;
  if (lastSeen === undefined)
    return stored.ok || stored.code === "nats.no_resolver"
      ? { state: "never_here" }
      : { state: "unknown", why: stored.message };
  if (hasEnded(lastSeen, facts)) return expired(lastSeen, true);
  return stored.ok ? { state: "gone", claims: lastSeen, known: undefined } : { state: "unknown", why: stored.message };
}

function expired({ claims }: ClaimsDocument, forgotten: boolean): Presence {
  return { state: "expired", at: toMillis(claims.exp ?? claims.iat), forgotten };
}

/** By the fastest server's clock. @param uncertain additional tolerance; milliseconds */
function hasEnded({ claims: { exp } }: ClaimsDocument, { now, ahead }: PresenceFacts, uncertain = 0): boolean {
  if (exp === undefined) return false;
  // Servers may treat an uncountable expiry as over at any time, so this is no deletion.
  return toMillis(exp) <= epochMillis(now + ahead + uncertain) || (uncertain > 0 && !isCountable(exp, now));
}

const isNewer = (document: ClaimsDocument | undefined, iat: number): boolean =>
  document !== undefined && document.claims.iat > iat;

/** Whether only a person may push the account. */
export function isWithdrawn(presence: Presence): presence is Extract<Presence, { state: "deleted" | "gone" }> {
  return presence.state === "deleted" || presence.state === "gone";
}

/** Why only a person may push the account; for people. */
export function describeWithdrawal(presence: Extract<Presence, { state: "deleted" | "gone" }>): string {
  const { known } = presence;
  const since = known === undefined ? "" : ` (known since ${isoTime(known.at)})`;
  if (presence.state === "gone") {
    const { exp } = presence.claims.claims;
    const valid = exp === undefined ? "never expire" : `end at ${isoTime(toMillis(exp))}`;
    return `it is gone${since}: its claims ${valid}, but no server or resolver has it; somebody deleted it, or the resolver lost it`;
  }
  const { refusedBy, broughtBackBy } = presence;
  const refused =
    refusedBy.length === 0
      ? ""
      : `; ${refusedBy.join(", ")} ${refusedBy.length === 1 ? "refuses" : "refuse"} its clients although its claims are valid`;
  const back =
    broughtBackBy.length === 0
      ? ""
      : `; its deleted JWT is back on ${broughtBackBy.join(", ")}: a server that was away or could not delete it brings it back, and so does a push of an older copy`;
  return `somebody deleted it${since}${refused}${back}`;
}
