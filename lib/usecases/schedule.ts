import pMap from "p-map";
import type { AccountId } from "../domain/account.ts";
import type { Scheduled } from "../domain/calendar.ts";
import type { ClaimsDocument } from "../domain/claims.ts";
import { claimsInForce } from "../domain/claims-findings.ts";
import { lastClaims, TOLD_ONLY } from "../domain/journal.ts";
import { asRelightError } from "../errors.ts";
import type { Context } from "./context.ts";
import { findAccount, knownAccounts } from "./survey.ts";

export interface Schedule {
  readonly accounts: readonly Scheduled[];
  /** Accounts whose claims nobody knows. */
  readonly unknown: readonly AccountId[];
}

const AT_ONCE = 8;

/** The claims and policies of every account, or of one: what their renewals can be foretold from. */
export async function schedule(
  context: Context,
  configured: readonly AccountId[],
  name?: string,
): Promise<Schedule> {
  const ids =
    name === undefined
      ? await knownAccounts(context, configured)
      : [await findAccount(context, configured, name)];
  const found = await pMap(
    ids,
    async (account) => ({ account, document: await claimsOf(context, account) }),
    { concurrency: AT_ONCE },
  );
  return {
    unknown: found.filter(({ document }) => document === undefined).map(({ account }) => account),
    accounts: found.flatMap(({ account, document }) =>
      document === undefined ? [] : [scheduled(context, account, document)],
    ),
  };
}

function scheduled(context: Context, account: AccountId, { claims }: ClaimsDocument): Scheduled {
  const name = context.settingsOf(account)?.name ?? (claims.name || account);
  return { account, name, claims, policy: context.policyOf(account, claims) };
}

const NOTHING = { ok: true, value: [] } as const;

/** In force, or last seen there: without a look at its streams, which would take long for thousands. */
export async function claimsOf(context: Context, account: AccountId): Promise<ClaimsDocument | undefined> {
  const { resolver, journal, operator, clock } = context;
  const running = await resolver.running(account);
  const stored = await resolver.lookup(account).catch((thrown: unknown) => {
    if (asRelightError(thrown).code !== "nats.no_resolver") throw thrown;
    return undefined;
  });
  const seen = {
    ...{ account, at: clock.now(), servers: [], streams: NOTHING },
    stored: { ok: true, value: stored } as const,
    running: { ok: true, value: running } as const,
    accountView: { ok: "not-asked", why: "only the claims count" } as const,
    ...{ elsewhere: NOTHING, leafnodes: NOTHING, meta: { ok: true, value: undefined } as const },
  };
  const inForce = claimsInForce(seen, operator);
  if (inForce !== undefined) return inForce;
  return lastClaims(await journal.read({ account, kinds: ["claims.seen"] }), TOLD_ONLY);
}
