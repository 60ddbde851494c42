import type { PageEnd } from "../../domain/incidents/page-end.ts";
import type { modeJson } from "../../domain/ladder/mode.ts";
import type { RungReport } from "../../domain/ladder/rung.ts";
import type { Verdict } from "../../domain/verdict/verdict.ts";
import type { Look } from "../observe/look.ts";
import { describePush } from "../push/describe-push.ts";
import type { ProvedPush } from "../push/push.ts";

export type Outcome =
  | "healthy"
  | "healed"
  | "escalated"
  | "unhealed"
  | "refused"
  | "verified"
  | "renewed"
  | "pushed"
  | "looked";

/** The result of one job on one account. */
export interface Remediation {
  readonly account: string;
  /** From the configuration or the claims; the id of an account without a name. */
  readonly name: string;
  /**
   * `verified`, `renewed` and `pushed` end with a check, without applying the ladder; see the verdict. `looked`: the mode
   * did not allow the next step. `escalated`: a person was called. `unhealed`: nobody was called; see `page`.
   */
  readonly outcome: Outcome;
  readonly why: string;
  readonly rungs: readonly RungReport[];
  readonly verdict: Verdict;
  /** The mode for this account. */
  readonly mode: ReturnType<typeof modeJson>;
  /** What would have been done, if the outcome is `looked`. */
  readonly would?: readonly string[];
  /** Losses, for people; absent if there are none. A person was paged, unless the policy allowed them. */
  readonly losses?: readonly string[];
  /** The pushed JWT and where it was proved, if any. */
  readonly pushed?: ReturnType<typeof describePush>;
  /** What became of the page; absent if there was nothing to page about. */
  readonly page?: PageEnd;
  /** Why the check is not in the journal: another job is working on the account. */
  readonly unrecorded?: string;
  /** The id of everything that the trigger led to. */
  readonly correlation: string;
  /** When the claims expire; ISO 8601, UTC. Absent if they don't or it is unknown. */
  readonly expiresAt?: string;
  /** Whether the account is critical by policy; absent if unknown. */
  readonly critical?: boolean;
  /** If the job healed: when the outage was first noticed; ISO 8601, UTC. */
  readonly unwellSince?: string;
  /** If the job healed: when the account was first healthy again, perhaps in a crashed job; ISO 8601, UTC. */
  readonly healthySince?: string;
}

/** The result of the job's work. */
export type Ended = Omit<Remediation, "correlation">;

/** The result with the last check. */
export type Done = Omit<Ended, "name" | "mode" | "critical" | "expiresAt" | "unwellSince" | "healthySince"> & {
  readonly last: Look;
};

/** The result of a job that applied no rung. */
export function lookOnly(outcome: Remediation["outcome"], last: Look, proved?: ProvedPush): Done {
  const { verdict } = last;
  const why = verdict.findings[0]?.message ?? "everything that was checked works";
  const done = { account: verdict.account, outcome, why, rungs: [], verdict, last };
  return { ...done, ...(proved === undefined ? {} : { pushed: describePush(proved) }) };
}
