import type { AccountId } from "../../domain/claims/account.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { settleTime } from "../../domain/verdict/settling.ts";
import type { Context } from "../context/context.ts";
import type { Timing } from "../context/timing.ts";
import { waitUntil } from "../context/wait-until.ts";
import { type AgreedLook, type Look, type LookAgain, looking } from "./look.ts";

/** How often the reason for waiting may change. */
const MOST_WAITS = 3;

/**
 * Checks an account. If the first check finds a fault, checks again until the fault can no longer be a leader election, a
 * creation or deletion, or a leafnode or mirror that is reconnecting.
 * @param most the maximum time to wait for faults that clear by themselves; by default as long as they take
 */
export async function lookTwice(context: Context, account: AccountId, most?: Millis): Promise<Look> {
  const { timing } = context;
  const again = looking(context, account);
  let seen: Look = await again();
  for (let waits = 0; waits < MOST_WAITS; waits++) {
    const wait = settleTimeOf(seen, timing);
    if (wait === undefined) return seen;
    const bound = millis(Math.min(wait, most ?? wait));
    seen = await lookWhile(context, again, { wait, bound });
    if (settleTimeOf(seen, timing) === wait) return seen;
  }
  return seen;
}

/** Like {@link lookTwice}, without waiting for faults that clear by themselves. */
export const lookBriefly = (context: Context, account: AccountId): Promise<Look> =>
  lookTwice(context, account, context.timing.confirmedAfter);

/** A loss that is not in the journal yet must be confirmed like a fault. */
const settleTimeOf = ({ verdict, lost }: Look, timing: Timing): Millis | undefined =>
  settleTime(verdict, timing) ?? (lost.length > 0 ? timing.confirmedAfter : undefined);

/** Checks at least once more, until the findings change or the time is over, and waits for young streams. */
async function lookWhile(
  { clock, timing }: Context,
  again: LookAgain,
  { wait, bound }: { readonly wait: Millis; readonly bound: Millis },
): Promise<Look> {
  let seen: AgreedLook | undefined;
  const isOver = async (): Promise<boolean> => {
    seen = await again();
    return !seen.isPending && settleTimeOf(seen, timing) !== wait;
  };
  const interval = millis(Math.min(timing.looksAgainEvery, bound / 4));
  const timeout = (): Millis => millis(seen?.isPending ? bound + timing.young : bound);
  await waitUntil(clock, isOver, { interval, timeout, atOnce: false });
  return seen ?? again();
}
