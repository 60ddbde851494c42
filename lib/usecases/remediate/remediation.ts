import type { modeJson } from "../../domain/ladder/mode.ts";
import type { RungReport } from "../../domain/ladder/rung.ts";
import type { Verdict } from "../../domain/verdict/verdict.ts";
import type { Look } from "../observe/look.ts";
import { describePush } from "../push/describe-push.ts";
import type { ProvedPush } from "../push/push.ts";

/** The end of one job on one account. */
export interface Remediation {
  readonly account: string;
  /**
   * `verified`, `renewed` and `pushed` end with a look, not with a climb: the verdict says how it went. `looked`: the
   * mode did not allow what would have been done.
   */
  readonly outcome:
    | "healthy"
    | "healed"
    | "escalated"
    | "refused"
    | "verified"
    | "renewed"
    | "pushed"
    | "looked";
  readonly why: string;
  readonly rungs: readonly RungReport[];
  readonly verdict: Verdict;
  /** What this run might change of the account, and why. */
  readonly mode: ReturnType<typeof modeJson>;
  /** What would have been done, of one that looked. */
  readonly would?: readonly string[];
  /** What is missing since, for people; absent where nothing is. A person was called, unless the policy allowed it. */
  readonly losses?: readonly string[];
  /** The JWT that was pushed and where it was proved, if one was. */
  readonly pushed?: ReturnType<typeof describePush>;
  /** Ties together all that the trigger led to. */
  readonly correlation: string;
  /** When the claims expire; ISO 8601, UTC. Absent where they don't, or nobody knows. */
  readonly expiresAt?: string;
  /** Whether the account's policy calls it critical; absent where nobody asked. */
  readonly critical?: boolean;
  /** Of a job that healed: when the account was first seen not to be healthy; ISO 8601, UTC. */
  readonly unwellSince?: string;
  /** When it was first seen to be healthy again, perhaps by a job that died before it could say so; as above. */
  readonly healthySince?: string;
}

/** What the work of the job gives back. */
export type Ended = Omit<Remediation, "correlation">;

/** With the last look, from which the rest is read. */
export type Done = Omit<Ended, "mode" | "critical" | "expiresAt" | "unwellSince" | "healthySince"> & {
  readonly last: Look;
};

/** The end of a job that took no rung. */
export function lookOnly(outcome: Remediation["outcome"], last: Look, proved?: ProvedPush): Done {
  const { verdict } = last;
  const why = verdict.findings[0]?.message ?? "everything that was looked at works";
  const done = { account: verdict.account, outcome, why, rungs: [], verdict, last };
  return { ...done, ...(proved === undefined ? {} : { pushed: describePush(proved) }) };
}
