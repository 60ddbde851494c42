import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import { type Alarm, alarmOf, DUE, type ExpiryWindow, expiryWindow } from "../../domain/expiry/expiry.ts";
import { afterRenewal, type Sequel } from "../../domain/ladder/after-renewal.ts";
import type { Step } from "../../domain/ladder/ladder.ts";
import { type Context, nameOf } from "../context/context.ts";
import type { Look } from "../observe/look.ts";
import { lookBriefly } from "../observe/look-twice.ts";
import { readyStep, situationOf } from "../remedies/readiness.ts";
import { type Planned, planned } from "../renewal/reconcile.ts";
import { type Decision, momentOf, renewalDecision } from "../renewal/renewal-decision.ts";

/** One account in `status` and `plan`, without side effects. */
export interface Survey {
  readonly account: AccountId;
  readonly name: string;
  /** Undefined if the account's claims are unknown. */
  readonly window: ExpiryWindow | undefined;
  readonly seen: Look;
  /** What a sweep would do first, besides a due renewal. */
  readonly step: Step;
  /** What is likely to follow the renewal of an expired account; undefined if nothing. */
  readonly sequel: Sequel | undefined;
  readonly renewal: "due" | "expired" | undefined;
  /** What the policy does about a difference from the source of truth, if any. */
  readonly reconciliation: Planned | undefined;
  /** The renewal's state by policy, and how urgent the expiry is. */
  readonly decision: Decision;
  readonly alarm: Alarm;
  /** Whether a person renews it. */
  readonly manual: boolean;
}

const ACCOUNTS_AT_ONCE = 4;

/** Checks all given accounts, without side effects. */
export async function survey(context: Context, accounts: readonly AccountId[]): Promise<readonly Survey[]> {
  return pMap(accounts, (account) => surveyOne(context, account), { concurrency: ACCOUNTS_AT_ONCE });
}

async function surveyOne(context: Context, account: AccountId): Promise<Survey> {
  const seen = await lookBriefly(context, account);
  const claims = seen.known.renewable?.claims;
  const policy = context.policyOf(account, claims);
  const moment = momentOf(context, seen);
  const window = claims === undefined ? undefined : expiryWindow(claims, policy, moment);
  const decision = await renewalDecision(context, { id: "-", account }, seen);
  const situation = situationOf(context, account, seen);
  return {
    account,
    name: nameOf(context, account, claims),
    window,
    seen,
    step: await readyStep(context, account, situation, new Set()),
    sequel: decision.decision === "renew" ? afterRenewal(situation) : undefined,
    reconciliation: planned(context, seen),
    alarm: window === undefined ? "none" : alarmOf(window, moment),
    decision,
    manual: policy.manual,
    renewal: decision.decision === "renew" ? (decision.why === DUE ? "due" : "expired") : undefined,
  };
}
