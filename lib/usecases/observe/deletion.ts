import type { AccountId } from "../../domain/claims/account.ts";
import { isTrusted } from "../../domain/claims/claims-source.ts";
import {
  describeWithdrawal,
  isWithdrawn,
  lastDeletion,
  type Presence,
  presenceOf,
} from "../../domain/claims/presence.ts";
import { NO_SKEW, skewOf } from "../../domain/observation/clocks.ts";
import type { RunningAccount } from "../../domain/observation/observation.ts";
import { defined } from "../../domain/time/defined.ts";
import { asRelightError, probe, RelightError } from "../../errors.ts";
import { type Context, type RunningJob, record } from "../context/context.ts";
import { deletionsOf, lastSeenOf } from "../journal/remembered.ts";
import type { Look } from "./look.ts";

/**
 * Called before every push, because only a person may bring back a deleted account. Returns whether servers keep the
 * account although the operator ordered its deletion, and no person wants it back.
 * @throws RelightError `account.deleted`, `nats.*`
 */
export async function assertNotDeleted(context: Context, job: RunningJob): Promise<{ readonly isKept: boolean }> {
  if (job.undelete) return { isKept: false };
  const presence = await presenceNow(context, job.account);
  refuseDeleted(job.account, presence);
  return { isKept: presence.state === "here" && presence.kept !== undefined };
}

/** @throws RelightError `account.deleted` */
export function refuseDeleted(account: AccountId, presence: Presence): void {
  if (!isWithdrawn(presence)) return;
  const message = `account ${account} was not pushed: ${describeWithdrawal(presence)}`;
  throw new RelightError("account.deleted", message, { details: { state: presence.state } });
}

/** Whether nothing can be restored because somebody deleted the account. If a person brings it back, open remedies are finished then. */
export async function isDeletedNow(context: Context, { account, undelete }: RunningJob): Promise<boolean> {
  return !undelete && isWithdrawn(await presenceNow(context, account));
}

/** The running account; `unreadable` if Relight can't read its claims but no server refuses them. @throws RelightError `nats.*`, `claims.unreadable` */
async function runningNow(
  { resolver }: Context,
  account: AccountId,
): Promise<readonly RunningAccount[] | "unreadable"> {
  try {
    return await resolver.running(account);
  } catch (thrown) {
    const { code, details } = asRelightError(thrown);
    const { expiredOn } = details;
    // If servers refuse them, they may have expired, or somebody deleted the account.
    if (code !== "claims.unreadable" || !Array.isArray(expiredOn) || expiredOn.length > 0) throw thrown;
    return "unreadable";
  }
}

/** Whether the account exists now, according to the servers, the resolver and the journal. Does not read streams. */
export async function presenceNow(context: Context, account: AccountId): Promise<Presence> {
  const { resolver, probes, operator, clock } = context;
  const deletion = lastDeletion(await deletionsOf(context.journal, account));
  const running = await runningNow(context, account);
  if (running === "unreadable") {
    if (deletion === undefined) return { state: "here" };
    throw new RelightError(
      "account.deleted",
      `account ${account} was deleted, but servers run claims of it again that Relight can't read`,
    );
  }
  const isAlive = running.some((entry) => entry.loaded && !entry.expired);
  if (isAlive && deletion === undefined && running.every((entry) => !entry.loaded || !entry.expired))
    return { state: "here" };
  const stored = await probe(async () => {
    const held = await resolver.lookup(account);
    return held !== undefined && isTrusted(held, operator) ? held.document : undefined;
  });
  const lastSeen = await lastSeenOf(context.journal, account);
  const facts = {
    running: { ok: true, value: running },
    stored,
    lastSeen,
    deletion,
    now: clock.now(),
  } as const;
  const presence = presenceOf({ ...facts, ahead: NO_SKEW.ahead });
  if (!isWithdrawn(presence)) return presence;
  // A server whose clock is ahead expires claims early.
  return presenceOf({ ...facts, ahead: skewOf(await probes.servers()).ahead });
}

/** Records an observed deletion once. It counts until newer claims are in force. */
export async function rememberDeletion(
  context: Context,
  job: Pick<RunningJob, "id" | "account">,
  { presence, observation, claims }: Look,
): Promise<void> {
  if (!isWithdrawn(presence)) return;
  if (presence.state === "gone") {
    const { iat, jti } = presence.claims.claims;
    if (presence.known !== undefined) return;
    return record(context, job, "account.deleted", { how: "gone", iat, jti });
  }
  const { known, refusedBy } = presence;
  const isAsked = observation.stored.ok || observation.stored.code === "nats.no_resolver";
  if (known?.how === "seen" || !isAsked) return;
  const jti = claims?.claims.jti ?? known?.jti;
  const iat = Math.max(claims?.claims.iat ?? 0, known?.iat ?? 0);
  await record(context, job, "account.deleted", {
    how: "seen",
    iat,
    refusedBy: [...refusedBy],
    ...defined({ jti }),
  });
}
