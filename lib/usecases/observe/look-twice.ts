import pWaitFor from "p-wait-for";
import type { AccountId } from "../../domain/claims/account.ts";
import { BELIEVED_AFTER } from "../../domain/observation/agreement.ts";
import { YOUNG } from "../../domain/observation/still-there.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { patienceWith } from "../../domain/verdict/settling.ts";
import type { Context } from "../context/context.ts";
import { type AgreedLook, type Look, type LookAgain, looking } from "./look.ts";

/** How often it is looked again before a verdict is believed; a look at hundreds of streams costs something. */
const looksWithin = (patience: Millis): Millis => millis(Math.min(1_000, patience / 4));
/** What is waited for may change while waiting, but not for ever. */
const MOST_WAITS = 3;
/** For who wants to know now, and not what becomes of it. */
export const BRIEFLY = BELIEVED_AFTER;

/**
 * A first look that finds something wrong may have caught a leader election, a stream or a consumer that is being made or
 * deleted, or a leafnode or a mirror on its way back: what it found is believed only if it is still found when that would
 * be over.
 * @param most no longer than this is waited for what mends itself; as long as that takes by default
 */
export async function lookTwice(context: Context, account: AccountId, most?: Millis): Promise<Look> {
  const again = looking(context, account);
  let seen: Look = await again();
  for (let waits = 0; waits < MOST_WAITS; waits++) {
    const patience = patienceWithLook(seen);
    if (patience === undefined) return seen;
    const bound = millis(Math.min(patience, most ?? patience));
    seen = await lookWhile(again, patience, bound);
    if (patienceWithLook(seen) === patience) return seen;
  }
  return seen;
}

/** A loss that no job has journalled is no more certain than a fault. */
const patienceWithLook = ({ verdict, lost }: Look): Millis | undefined =>
  patienceWith(verdict) ?? (lost.length > 0 ? BELIEVED_AFTER : undefined);

/** Looks at least once more, until what was found is another matter or the time is over, and a while for what is young. */
async function lookWhile(again: LookAgain, patience: Millis, bound: Millis): Promise<Look> {
  const end = performance.now() + bound;
  let seen: AgreedLook | undefined;
  const isOver = async (): Promise<boolean> => {
    seen = await again();
    if (seen.isPending && performance.now() < end + YOUNG) return false;
    return patienceWithLook(seen) !== patience || performance.now() >= end;
  };
  await pWaitFor(isOver, { interval: looksWithin(bound), before: false });
  return seen ?? again();
}
