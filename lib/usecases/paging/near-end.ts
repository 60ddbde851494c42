import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { alarmOf, expiryWindow } from "../../domain/expiry/expiry.ts";
import { EVEN_UNPROVED, lastClaims } from "../../domain/journal/journal.ts";
import { NO_SKEW } from "../../domain/observation/clocks.ts";
import { type EpochMillis, epochMillis } from "../../domain/time/time.ts";
import type { Context } from "../context/context.ts";
import { claimsSeen } from "../journal/remembered.ts";
import type { EscalateDependencies } from "./pager.ts";

/** How many accounts' newest jobs to read at once. */
const CHUNK = 100;

/** When a wait that begins now would end. */
const endOfWait = ({ clock, unknownAfter }: Pick<EscalateDependencies, "clock" | "unknownAfter">): EpochMillis =>
  epochMillis(clock.now() + (unknownAfter ?? 0));

/**
 * Whether the account reaches its page threshold so soon that a person must be paged for `unknown` at once.
 * @param claims those in force, or the last known ones
 */
export async function isNearEnd(
  context: Context,
  account: AccountId,
  claims: ClaimsDocument | undefined,
): Promise<boolean> {
  const document = claims ?? lastClaims(await claimsSeen(context.journal, account), EVEN_UNPROVED);
  if (document === undefined) return false;
  const moment = { now: endOfWait(context), skew: NO_SKEW };
  return alarmOf(expiryWindow(document.claims, context.policyOf(account, document.claims), moment), moment) === "page";
}

/** The same for any account that has not expired yet, from the newest jobs' entries, because the cluster is unreachable. */
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
