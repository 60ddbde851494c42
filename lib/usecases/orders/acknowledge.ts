import type { AccountId } from "../../domain/claims/account.ts";
import { type Loss, openLosses } from "../../domain/ladder/loss.ts";
import { nameOfGroup } from "../../domain/ladder/step-down.ts";
import type { Json } from "../../domain/time/json.ts";
import { RelightError } from "../../errors.ts";
import { type Context, record } from "../context/context.ts";
import { memoryOf } from "../journal/remembered.ts";

/**
 * Acknowledges losses, which are then no longer findings. Returns the acknowledged losses; empty if none is open.
 * @throws RelightError `usage` if `what` is not an open loss.
 */
export async function acknowledge(
  context: Context,
  { account, what, by, reason }: Acknowledgement,
): Promise<readonly Loss[]> {
  const open = openLosses(await memoryOf(context.journal, account));
  const chosen = what === undefined ? open : open.filter((loss) => nameOfGroup(loss) === normal(what));
  if (what !== undefined && chosen.length === 0) {
    const names = open.map(nameOfGroup).join(", ") || "none";
    throw new RelightError("usage", `account ${account} has no open loss "${what}"; open losses: ${names}`);
  }
  if (chosen.length === 0) return [];
  const job = { id: context.newId(), account };
  await record(context, job, "loss.acknowledged", { losses: chosen as unknown as Json, by, reason });
  return chosen;
}

/** `A>two` is `A > two`. */
const normal = (what: string): string => what.replace(/\s*>\s*/, " > ").trim();

/** Who acknowledges a loss, and why. */
export interface Acknowledgement {
  readonly account: AccountId;
  /** A stream, or `STREAM > CONSUMER`; by default all open losses. */
  readonly what?: string;
  readonly by: string;
  readonly reason: string;
}
