import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import type { Allowance, GateInput } from "../../domain/gate/gate.ts";
import { promised, shortages } from "../../domain/limits/capacity.ts";
import { defined } from "../../domain/time/defined.ts";
import { probe } from "../../errors.ts";
import { accountKeyOf, type Context } from "../context/context.ts";
import { otherAccounts } from "../observe/inventory.ts";

interface Change {
  readonly current: ClaimsDocument | undefined;
  readonly candidate: ClaimsDocument;
  readonly allowance: Allowance;
}

/** Facts for the gate besides the claims: Relight's own users, and what servers can reserve. */
export async function gateFacts(
  context: Context,
  account: AccountId,
  change: Change,
): Promise<Pick<GateInput, "accountKey" | "systemUser" | "lacks">> {
  const accountKey = await publicAccountKey(context, account, change);
  const isSystem = account === context.operator.systemAccount;
  const systemUser = isSystem ? await context.systemUser?.() : undefined;
  return {
    ...defined({ accountKey, systemUser }),
    lacks: await lacks(context, account, change),
  };
}

/**
 * The public key that signs Relight's users of the account, if the JWT changes its signing keys. Ignores an unreadable key,
 * which is reported when it is needed.
 */
async function publicAccountKey(
  context: Context,
  account: AccountId,
  { current, candidate }: Change,
): Promise<string | undefined> {
  const keys = [current, candidate].map((it) => JSON.stringify(it?.claims.nats["signing_keys"]));
  if (current === undefined || keys[0] === keys[1]) return undefined;
  const seed = await accountKeyOf(context, account).catch(() => undefined);
  return seed === undefined ? undefined : context.codec.publicKeyOf(seed);
}

/** Why servers can't reserve the additional storage that the claims promise; asks only if they promise more. */
async function lacks(
  context: Context,
  account: AccountId,
  { current, candidate, allowance }: Change,
): Promise<readonly string[]> {
  const [old, wanted] = [current && promised(current.claims), promised(candidate.claims)];
  const isMore = wanted.memory > (old?.memory ?? 0) || wanted.file > (old?.file ?? 0);
  // A toggle restores the old limits, and readiness has checked that there is room.
  if (!isMore || allowance === "jetstream-switch") return [];
  const servers = await context.probes.servers();
  const capacities = await context.probes.capacity();
  // A cluster accepts any limits, and a server that does not answer proves nothing.
  if (!capacities.ok || !servers.some(({ topology }) => topology === "standalone")) return [];
  const others = await probe(() => otherAccounts(context, account));
  return shortages({
    servers,
    capacities: capacities.value,
    before: current?.claims,
    after: candidate.claims,
    others: others.ok ? others.value : [],
  });
}
