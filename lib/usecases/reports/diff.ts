import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import { type ClaimsComparison, compareClaims, type Places } from "../../domain/claims/claims-comparison.ts";
import { loaded } from "../../domain/claims/claims-in-force.ts";
import { describeWithdrawal, isWithdrawn, lastDeletion, presenceIn } from "../../domain/claims/presence.ts";
import { lastPush } from "../../domain/journal/last-push.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import { overwritten } from "../../domain/verdict/overwritten-findings.ts";
import { probe } from "../../errors.ts";
import { type Context, nameOf } from "../context/context.ts";
import { lastSeenOf, memoryOf } from "../journal/remembered.ts";

export interface AccountDiff extends ClaimsComparison {
  readonly account: AccountId;
  readonly name: string;
  readonly places: Places;
}

const ACCOUNTS_AT_ONCE = 4;

/** Compares the claims of each account in the source of truth, in the resolver and on each server. Changes nothing. */
export async function diffAccounts(context: Context, accounts: readonly AccountId[]): Promise<readonly AccountDiff[]> {
  const answering = await whoAnswers(context);
  return pMap(accounts, (account) => diffOne(context, account, answering), { concurrency: ACCOUNTS_AT_ONCE });
}

async function diffOne(
  context: Context,
  account: AccountId,
  answering: Pick<Observation, "servers" | "meta">,
): Promise<AccountDiff> {
  const { resolver, source, operator } = context;
  const [stored, running] = await Promise.all([
    probe(() => resolver.lookup(account)),
    probe(() => resolver.running(account)),
  ]);
  const places: Places = {
    stored,
    running,
    ...(source === undefined ? {} : { source: await probe(() => source.claims.lookup(account)) }),
  };
  const compared = compareClaims(places, operator);
  const remembered = await memoryOf(context.journal, account);
  const shown = { account, name: nameOf(context, account, namedIn(places)), places, ...compared };
  const lastSeen = await lastSeenOf(context.journal, account);
  const deletion = lastDeletion(remembered);
  const facts = { running, stored, at: context.clock.now(), ...answering };
  const presence = presenceIn(facts, operator, { lastSeen, deletion });
  if (isWithdrawn(presence)) {
    // That the resolver lacks it is no news then.
    const others = compared.state === "missing" ? [] : compared.notes;
    return { ...shown, state: "missing", notes: [describeWithdrawal(presence), ...others] };
  }
  const pushed = lastPush(remembered);
  const undone = [
    ...new Set(
      claimsIn(places).flatMap((claims) => {
        const found = overwritten(claims, pushed, answering.servers);
        return found === undefined ? [] : [`${found.what}; ${found.advice}`];
      }),
    ),
  ];
  return {
    ...shown,
    ...(undone.length > 0 && compared.state === "same" ? { state: "differs" } : {}),
    notes: [...undone, ...compared.notes],
  };
}

/** The servers that answer, and those that should. */
async function whoAnswers({ probes }: Context): Promise<Pick<Observation, "servers" | "meta">> {
  const servers = await probes.servers();
  const [domain] = servers.flatMap(({ jetstream, domain: own }) => (jetstream ? [own] : []));
  return { servers, meta: await probes.meta(domain) };
}

/** The claims in the cluster. */
function claimsIn({ stored, running }: Places): readonly AccountClaims[] {
  const held = stored.ok && stored.value !== undefined ? [stored.value.document.claims] : [];
  return [...held, ...loaded({ running }).map(({ document }) => document.claims)];
}

/** The claims of the first place that has a name for the account. */
function namedIn({ source, stored, running }: Places): AccountClaims | undefined {
  const sourced = source?.ok && source.value.state === "found" ? source.value.claims.document : undefined;
  const held = stored.ok ? stored.value?.document : undefined;
  const loaded = running.ok ? running.value.find((entry) => entry.loaded)?.document : undefined;
  return [held, loaded, sourced].find((document) => document?.claims.name)?.claims;
}
