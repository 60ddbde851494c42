import pMap from "p-map";
import { type AccountId, isAccountId } from "../domain/account.ts";
import { type Alarm, alarmOf, DUE, type ExpiryWindow, expiryWindow } from "../domain/expiry.ts";
import type { Step } from "../domain/ladder.ts";
import { RelightError } from "../errors.ts";
import type { Context } from "./context.ts";
import { situationOf } from "./heal.ts";
import { type Look, look } from "./look.ts";
import { readyStep } from "./readiness.ts";
import { type Planned, planned } from "./reconcile.ts";
import { type Decision, momentOf, renewalDecision } from "./renewal-decision.ts";
import { sourced } from "./sweep.ts";
import { claimsToRenew } from "./verify.ts";

/** One account as `status` and `plan` show it; looking left no trace. */
export interface Survey {
  readonly account: AccountId;
  readonly name: string;
  /** Undefined where nobody knows the account's claims. */
  readonly window: ExpiryWindow | undefined;
  readonly seen: Look;
  /** What a sweep would do first, beside a due renewal. */
  readonly step: Step;
  readonly renewal: "due" | "expired" | undefined;
  /** What the policy does about a difference between the source of truth and the cluster, if there is one. */
  readonly reconciliation: Planned | undefined;
  /** What the policy says of the renewal now, and how urgent the expiry is. */
  readonly decision: Decision;
  readonly alarm: Alarm;
  /** Renewed by hand. */
  readonly manual: boolean;
}

const ACCOUNTS_AT_ONCE = 4;

/** Looks at every account that is configured or that the resolver lists, without touching anything. */
export async function survey(context: Context, accounts: readonly AccountId[]): Promise<readonly Survey[]> {
  return pMap(accounts, (account) => surveyOne(context, account), { concurrency: ACCOUNTS_AT_ONCE });
}

/** The accounts there are: configured ones first, then those of the resolver, then of the source of truth. */
export async function knownAccounts(
  context: Context,
  configured: readonly AccountId[],
): Promise<readonly AccountId[]> {
  const known = new Set(configured);
  try {
    for await (const entry of context.resolver.list()) {
      const account = entry.ok ? entry.jwt.document.claims.sub : entry.account;
      if (isAccountId(account)) known.add(account);
    }
  } catch (error) {
    if (!(error instanceof RelightError) || error.code !== "nats.no_resolver") throw error;
  }
  for await (const entry of sourced(context)) if (entry.ok) known.add(entry.jwt.document.claims.sub);
  return [...known];
}

/**
 * The account that a person means: an id, a configured name, or the name in its claims.
 * @throws RelightError `account.unknown`, also where a name is not unique.
 */
export async function findAccount(
  context: Context,
  configured: readonly AccountId[],
  text: string,
): Promise<AccountId> {
  if (isAccountId(text)) return text;
  const named = configured.filter((account) => context.settingsOf(account)?.name === text);
  const matches = named.length > 0 ? named : await namedInClaims(context, text);
  const [match, ...others] = matches;
  if (match === undefined) throw new RelightError("account.unknown", `there is no account "${text}"`);
  if (others.length === 0) return match;
  const list = matches.join(", ");
  throw new RelightError(
    "account.unknown",
    `${matches.length} accounts are called "${text}"; use an id: ${list}`,
  );
}

async function namedInClaims(context: Context, name: string): Promise<readonly AccountId[]> {
  const matches: AccountId[] = [];
  for await (const entry of context.resolver.list())
    if (entry.ok && entry.jwt.document.claims.name === name) matches.push(entry.jwt.document.claims.sub);
  for await (const entry of sourced(context))
    if (entry.ok && entry.jwt.document.claims.name === name) matches.push(entry.jwt.document.claims.sub);
  return [...new Set(matches)];
}

async function surveyOne(context: Context, account: AccountId): Promise<Survey> {
  const seen = await look(context, account);
  const claims = (await claimsToRenew(context, seen))?.claims;
  const policy = context.policyOf(account, claims);
  const moment = momentOf(context, seen);
  const window = claims === undefined ? undefined : expiryWindow(claims, policy, moment);
  const decision = await renewalDecision(context, { id: "-", account }, seen);
  return {
    account,
    name: context.settingsOf(account)?.name ?? (claims?.name || account),
    window,
    seen,
    step: await readyStep(context, account, situationOf(context, account, seen), new Set()),
    reconciliation: planned(context, seen),
    alarm: window === undefined ? "none" : alarmOf(window, moment),
    decision,
    manual: policy.manual,
    renewal: decision.decision === "renew" ? (decision.why === DUE ? "due" : "expired") : undefined,
  };
}
