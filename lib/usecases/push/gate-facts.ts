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

/** What the gate goes by beside the claims themselves: by whom Relight signs in, and what servers can reserve. */
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
 * The public key that Relight's users of the account are signed with, where the JWT changes who may sign; a key that
 * can't be read is for whoever needs it to say.
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

/** Why servers can't reserve what the claims promise more than those in force; not asked where that is nothing. */
async function lacks(
  context: Context,
  account: AccountId,
  { current, candidate, allowance }: Change,
): Promise<readonly string[]> {
  const [old, wanted] = [current && promised(current.claims), promised(candidate.claims)];
  const isMore = wanted.memory > (old?.memory ?? 0) || wanted.file > (old?.file ?? 0);
  // A toggle gives back what it found, and proved that there is room for it.
  if (!isMore || allowance === "jetstream-switch") return [];
  const servers = await context.probes.servers();
  const capacities = await context.probes.capacity();
  // A cluster takes any limits, and who does not tell proves no lack.
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
