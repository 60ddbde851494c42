import type { AccountClaims } from "../claims/claims.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { EpochMillis } from "../time/time.ts";
import type { JournalEntry } from "./journal.ts";
import { RENEWAL, WITHIN_RUNGS } from "./unfinished.ts";

/** Relight's last push of an account that was in force on every server. */
export interface LastPush {
  readonly at: EpochMillis;
  readonly jti: string;
  /** Epoch seconds. */
  readonly iat: number;
  /** Epoch seconds; undefined: it does not expire. */
  readonly exp: number | undefined;
  readonly purpose: string;
  /** When claims ended that a push of Relight's replaced: a copy from before has one of these. Epoch seconds. */
  readonly ends: readonly number[];
  /** What Relight's pushes changed and a renewal does not, by the claim's path. */
  readonly changed: ReadonlyMap<string, ChangedClaim>;
}

/** A claim that Relight changed. */
export interface ChangedClaim {
  /** The change that is in force. */
  readonly at: EpochMillis;
  readonly purpose: string;
  readonly now: Json | undefined;
  /** What it was before this and earlier changes. */
  readonly before: readonly (Json | undefined)[];
}

/** Purpose of the pushes of a key rotation. */
export const ROTATION = "key rotation";
/** Claims whose names have no dots, so their paths are certain. */
const LIMIT = /^nats\.limits\.[\w.]+$/;

/** What a later run needs to know of a push, besides its JWT; `changes` as in `push.started`. */
export function rememberedPush({ nats }: Pick<AccountClaims, "nats">, changes: readonly JsonObject[]): JsonObject {
  const kept = changes.filter(({ path }) => path === "exp" || path === "iss" || LIMIT.test(String(path)));
  return { changes: kept, limits: nats["limits"] ?? null };
}

/** Undefined if Relight never pushed it, or in an entry of an older version. `entries` of one account, oldest first. */
export function lastPush(entries: readonly JournalEntry[]): LastPush | undefined {
  const pushes = entries.filter(({ kind }) => kind === "push.proved");
  const last = pushes.at(-1);
  if (last === undefined) return undefined;
  const { jti, iat, exp, purpose } = last.data;
  if (typeof jti !== "string" || typeof iat !== "number" || typeof purpose !== "string") return undefined;
  const ends = new Set<number>();
  const changed = new Map<string, ChangedClaim>();
  for (const { at, data } of pushes) {
    for (const change of changesIn(data)) {
      if (change.path === "exp") {
        if (typeof change.before === "number") ends.add(change.before);
      } else if (isLasting(change.path, data["purpose"]))
        note(changed, change, { at, purpose: String(data["purpose"]) });
    }
    // What somebody set back and Relight signed again is accepted.
    const { limits } = data;
    if (isJsonObject(limits))
      for (const [path, { now }] of changed)
        if (LIMIT.test(path) && !isSame(valueAt({ limits }, path), now)) changed.delete(path);
  }
  const end = typeof exp === "number" ? exp : undefined;
  if (end !== undefined) ends.delete(end);
  return { at: last.at, jti, iat, purpose, exp: end, ends: [...ends], changed };
}

interface Change {
  readonly path: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/** Somebody may have written any data. Absent values are null in the journal. */
function changesIn({ changes }: JsonObject): readonly Change[] {
  if (!Array.isArray(changes)) return [];
  return changes.flatMap((change) => {
    if (!isJsonObject(change) || typeof change["path"] !== "string") return [];
    const { path, before, after } = change;
    return [{ path, before: before ?? undefined, after: after ?? undefined }];
  });
}

/** A renewal may sign with another key, and a toggle restores what it takes away. */
function isLasting(path: string, purpose: Json | undefined): boolean {
  if (path === "iss") return purpose === ROTATION;
  return purpose !== RENEWAL && !WITHIN_RUNGS.includes(String(purpose)) && LIMIT.test(path);
}

function note(
  changed: Map<string, ChangedClaim>,
  { path, before, after }: Change,
  when: Pick<ChangedClaim, "at" | "purpose">,
): void {
  const earlier = [...(changed.get(path)?.before ?? []), before].filter((value) => !isSame(value, after));
  changed.set(path, { ...when, now: after, before: earlier });
}

/** The claim at such a path. */
export function valueAt(nats: JsonObject, path: string): Json | undefined {
  return path
    .split(".")
    .slice(1)
    .reduce<Json | undefined>((value, name) => (isJsonObject(value) ? value[name] : undefined), nats);
}

/** Absent limits count as 0 for servers. */
export const isSame = (one: Json | undefined, other: Json | undefined): boolean =>
  JSON.stringify(one ?? 0) === JSON.stringify(other ?? 0);
