import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { alarmOf, expiryWindow } from "../../domain/expiry/expiry.ts";
import { lastClaims, TOLD_ONLY } from "../../domain/journal/journal.ts";
import { NO_SKEW } from "../../domain/observation/clocks.ts";
import { type EpochMillis, epochMillis } from "../../domain/time/time.ts";
import type { Context } from "../context/context.ts";
import { claimsSeen } from "../journal/remembered.ts";
import type { EscalateDependencies } from "./escalate.ts";

/** Accounts whose newest jobs are read together. */
const CHUNK = 100;

/** When a wait that begins now would be over. */
const endOfWait = ({
  clock,
  unknownAfter,
}: Pick<EscalateDependencies, "clock" | "unknownAfter">): EpochMillis =>
  epochMillis(clock.now() + (unknownAfter ?? 0));

/**
 * Whether the account expires so soon, by its policy, that a person must know at once what is unknown of it.
 * @param claims those in force; the last that were seen where nobody knows
 */
export async function isNearEnd(
  context: Context,
  account: AccountId,
  claims: ClaimsDocument | undefined,
): Promise<boolean> {
  const document = claims ?? lastClaims(await claimsSeen(context.journal, account), TOLD_ONLY);
  if (document === undefined) return false;
  const moment = { now: endOfWait(context), skew: NO_SKEW };
  return (
    alarmOf(expiryWindow(document.claims, context.policyOf(account, document.claims), moment), moment) ===
    "page"
  );
}

/** The same of any account that has not expired yet, by what the newest jobs left: nobody can be asked. */
export async function isAnyNearEnd(pager: EscalateDependencies): Promise<boolean> {
  const { journal, clock } = pager;
  const until = endOfWait(pager);
  const isNear = async (accounts: readonly AccountId[]): Promise<boolean> => {
    const lastJobs = await journal.latest(accounts);
    return [...lastJobs.values()].some(
      (lastJob) =>
        lastJob.state === "finished" &&
        lastJob.withdrawn !== true &&
        (lastJob.pageAt ?? Number.POSITIVE_INFINITY) <= until &&
        (lastJob.expiresAt ?? 0) > clock.now(),
    );
  };
  let chunk: AccountId[] = [];
  for await (const { account, forgotten } of journal.accounts()) {
    if (forgotten) continue;
    chunk.push(account);
    if (chunk.length < CHUNK) continue;
    if (await isNear(chunk)) return true;
    chunk = [];
  }
  return isNear(chunk);
}
