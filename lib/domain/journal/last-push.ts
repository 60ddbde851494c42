import type { EpochMillis } from "../time/time.ts";
import type { JournalEntry } from "./journal.ts";

/** Relight's last push of an account that was in force on every server. */
export interface LastPush {
  readonly at: EpochMillis;
  readonly jti: string;
  /** Epoch seconds. */
  readonly iat: number;
  /** Epoch seconds; undefined: it does not expire. */
  readonly exp: number | undefined;
  readonly purpose: string;
}

/** Undefined if Relight never pushed it, or in an entry of an older version. `entries` of one account, oldest first. */
export function lastPush(entries: readonly JournalEntry[]): LastPush | undefined {
  const last = entries.findLast(({ kind }) => kind === "push.proved");
  if (last === undefined) return undefined;
  const { jti, iat, exp, purpose } = last.data;
  if (typeof jti !== "string" || typeof iat !== "number" || typeof purpose !== "string") return undefined;
  return { at: last.at, jti, iat, purpose, exp: typeof exp === "number" ? exp : undefined };
}
