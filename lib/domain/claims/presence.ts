import type { JournalEntry } from "../journal/journal.ts";
import { skewOf } from "../observation/clocks.ts";
import type { Observation, Probe, RunningAccount } from "../observation/observation.ts";
import { type EpochMillis, epochMillis, isCountable, isoTime, type Millis, toMillis } from "../time/time.ts";
import type { ClaimsDocument } from "./claims.ts";
import { type Loaded, loaded as loadedOn } from "./claims-in-force.ts";
import { isTrusted } from "./claims-source.ts";
import type { Operator } from "./operator.ts";

/**
 * Whether an account is there, and if not, what became of it. Everything that acts on an account that is gone asks
 * here: an expired account is renewed, a deleted one is never pushed again but by a person who says so.
 */
export type Presence =
  /** A server runs it, or the resolver holds it. */
  | { readonly state: "here" }
  /** Its claims have expired; `forgotten`: the resolver has deleted them since, and no server has it loaded. */
  | { readonly state: "expired"; readonly at: EpochMillis; readonly forgotten: boolean }
  | ({ readonly state: "deleted" } & Deleted)
  /** It was here, its claims are still valid, and nobody has it: deleted, or lost by the resolver. */
  | { readonly state: "gone"; readonly claims: ClaimsDocument; readonly known: Deletion | undefined }
  /** Nobody ever had it. */
  | { readonly state: "never_here" }
  /** A server or the resolver could not be asked. */
  | { readonly state: "unknown"; readonly why: string };

export interface Deleted {
  /** The servers that refuse its clients although its claims are valid. */
  readonly refusedBy: readonly string[];
  /**
   * Where the deleted JWT lies again: a server that was away during the deletion brings it back, and the resolver
   * gives it to all others (ran: 2.9.10, 2.10.27, 2.15.1).
   */
  readonly broughtBackBy: readonly string[];
  readonly known: Deletion | undefined;
}

/** That an account was deleted, as the journal remembers it. */
export interface Deletion {
  readonly at: EpochMillis;
  /**
   * `seen`: servers refused it while its claims were valid, or had obeyed an order. `ordered`: `watch` heard an order of
   * the operator's to delete it. `gone`: no server and no resolver had it any more while its claims were valid.
   */
  readonly how: "seen" | "ordered" | "gone";
  /** The `iat` of the deleted JWT, or of the order; epoch seconds. Newer claims in force are the account's return. */
  readonly iat: number;
  readonly jti?: string;
}

/** The account's last deletion, by the strongest that is known of it; `entries` of one account, oldest first. */
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
  /** What the resolver holds and the servers would trust; failed where there is none to ask. */
  readonly stored: Probe<ClaimsDocument | undefined>;
  /** The claims that the journal saw in force last. */
  readonly lastSeen: ClaimsDocument | undefined;
  readonly deletion: Deletion | undefined;
  readonly now: EpochMillis;
  /** How far the fastest server's clock is ahead of ours: that server ends claims so much earlier. */
  readonly ahead: Millis;
}

/** A server that says "expired" so shortly before the end by our clock means the expiry; milliseconds. */
const UNCERTAIN = 10_000;

/** The one place that says what it means that an account is gone from a source. */
export function presenceOf(facts: PresenceFacts): Presence {
  const { running, stored, deletion } = facts;
  if (!running.ok) return { state: "unknown", why: running.message };
  const loaded = loadedOn({ running });
  const refusing = loaded.filter((entry) => entry.expired && !hasEnded(entry.document, facts, UNCERTAIN));
  const held = stored.ok ? stored.value : undefined;
  const open = deletion !== undefined && !isNewer(facts.lastSeen, deletion.iat) ? deletion : undefined;
  const deletedIat = Math.max(
    open?.iat ?? Number.NEGATIVE_INFINITY,
    ...refusing.map(({ document }) => document.claims.iat),
  );
  const others = loaded.filter((entry) => !refusing.includes(entry));
  const isBack = isNewer(held, deletedIat) || others.some(({ document }) => isNewer(document, deletedIat));
  // That an order was heard does not say that the servers obeyed it.
  const isDisobeyed =
    open?.how === "ordered" && (held !== undefined || others.some(({ expired }) => !expired));
  // What was only missed was found again.
  const isFound = open?.how === "gone" && (held !== undefined || others.length > 0);
  const counts = open !== undefined && !isDisobeyed && !isFound;
  if (counts && open?.how === "gone" && refusing.length === 0 && facts.lastSeen !== undefined)
    return { state: "gone", claims: facts.lastSeen, known: open };
  if (!isBack && (refusing.length > 0 || counts)) {
    const running = others.filter(({ expired }) => !expired).map(({ server }) => server);
    return {
      state: "deleted",
      refusedBy: refusing.map(({ server }) => server),
      broughtBackBy: [...(held === undefined ? [] : ["the resolver"]), ...running],
      known: open,
    };
  }
  return presentOf(facts, loaded, held);
}

/** What one look, and the journal, say of it. */
export function presenceIn(
  { running, stored, at, servers }: Pick<Observation, "running" | "stored" | "at" | "servers">,
  operator: Operator,
  known: Pick<PresenceFacts, "lastSeen" | "deletion">,
): Presence {
  const held = stored.ok && stored.value !== undefined && isTrusted(stored.value, operator);
  const trusted = stored.ok
    ? ({ ok: true, value: held ? stored.value?.document : undefined } as const)
    : stored;
  return presenceOf({ running, stored: trusted, now: at, ahead: skewOf(servers).ahead, ...known });
}

/** The same where nothing speaks of a deletion. */
function presentOf(
  facts: PresenceFacts,
  loaded: readonly Loaded[],
  held: ClaimsDocument | undefined,
): Presence {
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
  return stored.ok
    ? { state: "gone", claims: lastSeen, known: undefined }
    : { state: "unknown", why: stored.message };
}

function expired({ claims }: ClaimsDocument, forgotten: boolean): Presence {
  return { state: "expired", at: toMillis(claims.exp ?? claims.iat), forgotten };
}

/** By the clock of the fastest server. @param uncertain what the clocks may be off beside; milliseconds */
function hasEnded(
  { claims: { exp } }: ClaimsDocument,
  { now, ahead }: PresenceFacts,
  uncertain = 0,
): boolean {
  if (exp === undefined) return false;
  // What servers can't count to is over whenever they say so: nobody deleted it.
  return toMillis(exp) <= epochMillis(now + ahead + uncertain) || (uncertain > 0 && !isCountable(exp, now));
}

const isNewer = (document: ClaimsDocument | undefined, iat: number): boolean =>
  document !== undefined && document.claims.iat > iat;

/** Whether nobody but a person may push the account. */
export function isWithdrawn(
  presence: Presence,
): presence is Extract<Presence, { state: "deleted" | "gone" }> {
  return presence.state === "deleted" || presence.state === "gone";
}

/** Why nobody but a person may push the account; for people. */
export function describeWithdrawal(presence: Extract<Presence, { state: "deleted" | "gone" }>): string {
  const { known } = presence;
  const since = known === undefined ? "" : ` (known since ${isoTime(known.at)})`;
  if (presence.state === "gone") {
    const { exp } = presence.claims.claims;
    const valid = exp === undefined ? "never expire" : `end at ${isoTime(toMillis(exp))}`;
    return `it is gone${since}: its claims ${valid}, and no server and no resolver had it any more before that; somebody deleted it, or the resolver lost it`;
  }
  const { refusedBy, broughtBackBy } = presence;
  const refused =
    refusedBy.length === 0
      ? ""
      : `; ${refusedBy.join(", ")} ${refusedBy.length === 1 ? "refuses" : "refuse"} its clients although its claims are valid`;
  const back =
    broughtBackBy.length === 0
      ? ""
      : `; its deleted JWT is back on ${broughtBackBy.join(", ")}: a server that was away during the deletion brings it back`;
  return `somebody deleted it${since}${refused}${back}`;
}
