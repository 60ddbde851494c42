import type { AccountId } from "../../domain/claims/account.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { patienceWith } from "../../domain/verdict/settling.ts";
import type { Context } from "../context/context.ts";
import type { Timing } from "../context/timing.ts";
import { waitUntil } from "../context/wait-until.ts";
import { type AgreedLook, type Look, type LookAgain, looking } from "./look.ts";

/** What is waited for may change while waiting, but not for ever. */
const MOST_WAITS = 3;

/**
 * A first look that finds something wrong may have caught a leader election, a stream or a consumer that is being made or
 * deleted, or a leafnode or a mirror on its way back: what it found is believed only if it is still found when that would
 * be over.
 * @param most no longer than this is waited for what mends itself; as long as that takes by default
 */
export async function lookTwice(context: Context, account: AccountId, most?: Millis): Promise<Look> {
  const { timing } = context;
  const again = looking(context, account);
  let seen: Look = await again();
  for (let waits = 0; waits < MOST_WAITS; waits++) {
    const patience = patienceWithLook(seen, timing);
    if (patience === undefined) return seen;
    const bound = millis(Math.min(patience, most ?? patience));
    seen = await lookWhile(context, again, { patience, bound });
    if (patienceWithLook(seen, timing) === patience) return seen;
  }
  return seen;
}

/** As {@link lookTwice}, for whoever wants to know how the account is now, not what becomes of it. */
export const lookBriefly = (context: Context, account: AccountId): Promise<Look> =>
  lookTwice(context, account, context.timing.believedAfter);

/** A loss that no job has journalled is no more certain than a fault. */
const patienceWithLook = ({ verdict, lost }: Look, timing: Timing): Millis | undefined =>
  patienceWith(verdict, timing) ?? (lost.length > 0 ? timing.believedAfter : undefined);

/** Looks at least once more, until what was found is another matter or the time is over, and a while for what is young. */
async function lookWhile(
  { clock, timing }: Context,
  again: LookAgain,
  { patience, bound }: { readonly patience: Millis; readonly bound: Millis },
): Promise<Look> {
  let seen: AgreedLook | undefined;
  const isOver = async (): Promise<boolean> => {
    seen = await again();
    return !seen.isPending && patienceWithLook(seen, timing) !== patience;
  };
  const interval = millis(Math.min(timing.looksAgainEvery, bound / 4));
  const timeout = (): Millis => millis(seen?.isPending ? bound + timing.young : bound);
  await waitUntil(clock, isOver, { interval, timeout, atOnce: false });
  return seen ?? again();
}
