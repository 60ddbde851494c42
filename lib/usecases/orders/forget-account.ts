import type { AccountId } from "../../domain/claims/account.ts";
import { isWithdrawn } from "../../domain/claims/presence.ts";
import { RelightError } from "../../errors.ts";
import { type Context, record } from "../context/context.ts";
import { presenceNow } from "../observe/deletion.ts";
import { resolveIncidents } from "../paging/escalate.ts";

/**
 * Marks a deleted account as gone for good, as a person requests: it is no longer shown or swept until it reappears. Only a
 * person may push it.
 * @throws RelightError `account.unknown` if it still exists, or never did.
 */
export async function forgetAccount(context: Context, account: AccountId, reason: string): Promise<AccountId> {
  const presence = await presenceNow(context, account);
  if (!isWithdrawn(presence))
    throw new RelightError("account.unknown", `account ${account} was not deleted: it is ${presence.state}`);
  const job = { id: context.newId(), account };
  if (presence.state === "gone" && presence.known === undefined) {
    const { iat, jti } = presence.claims.claims;
    await record(context, job, "account.deleted", { how: "gone", iat, jti });
  }
  await record(context, job, "account.forgotten", { reason });
  await resolveIncidents(context, job, () => true, "a person ran `relight forget`");
  return account;
}
